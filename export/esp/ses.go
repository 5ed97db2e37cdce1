package esp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/winnow-email/winnow/internal/api"
)

// Amazon SES keeps one suppression list for an account and Region, with the
// reasons BOUNCE and COMPLAINT and no others (sesv2 API model,
// PutSuppressedDestination and CreateImportJob).

type sesRow struct {
	Address string `csv:"address"`
	Reason  string `csv:"reason"`
}

var sesWords = map[Reason]string{
	HardBounce: "BOUNCE", DeadDomain: "BOUNCE", SoftBounce: "BOUNCE", Disposable: "BOUNCE", Role: "BOUNCE", Typo: "BOUNCE", Stale: "BOUNCE",
	Complaint: "COMPLAINT",
}

const sesBeside = "the list counts for one Region. An entry whose reason is not among the account's SuppressedReasons is mailed all the same. " +
	"Unsubscribes have no place in it: keep them in a contact list"

// An import object has no header, "address,REASON" a line, 100,000 at most.
var sesFiles = []file{{name: "ses-suppressions", what: "an entry of the account's suppression list", enc: bareRows(func(e *Entry, word string) []sesRow {
	return []sesRow{{e.Address, word}}
})}}

var sesSteps = []string{
	"Check that the account suppresses both reasons: aws sesv2 get-account --query SuppressionAttributes",
	"Put each file into an S3 bucket that SES may read: aws s3 cp FILE s3://BUCKET/FILE",
	"aws sesv2 create-import-job --import-destination '{\"SuppressionListDestination\":{\"SuppressionListImportAction\":\"PUT\"}}' --import-data-source '{\"S3Url\":\"s3://BUCKET/FILE\",\"DataFormat\":\"CSV\"}'",
	"Or in the console: Configuration > Suppression list > Bulk actions > Add email addresses in bulk.",
	"Repeat in every Region you send from.",
}

var ses = &Target{
	Name: "ses", Title: "Amazon SES, one address a call",
	Caps: Caps{
		Words: sesWords, Scope: "account and Region", MaxRows: 100_000, Batch: 1, Reversible: true,
		Beside: sesBeside + ". SES takes about one call a second: for more than some thousands use ses-import",
	},
	ScopeHelp: "the Region, e.g. eu-west-1 (or AWS_REGION)", KeyNames: sesKeys, open: func(a *account) (*service, error) { return openSES(a, false) },
	files: sesFiles,
	Steps: sesSteps,
	Docs:  "https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html",
}

var sesImport = &Target{
	Name: "ses-import", Title: "Amazon SES, import jobs through S3",
	Caps: Caps{
		Words: sesWords, Scope: "account and Region", MaxRows: 100_000, Batch: 100_000, Reversible: true, Async: true,
		Beside: sesBeside + ". Import jobs need production access and a bucket that SES may read",
	},
	ScopeHelp: "s3://BUCKET/PREFIX for the import objects; the Region from AWS_REGION", KeyNames: sesKeys, open: func(a *account) (*service, error) { return openSES(a, true) },
	files: sesFiles,
	Steps: sesSteps,
	Docs:  "https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html",
}

var sesKeys = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}

// sesJudge: SES throttles with 429 TooManyRequestsException or with 400
// ThrottlingException, and says no time.
func sesJudge(status int, h http.Header, body []byte, now time.Time) api.Judgement {
	j := api.Common(status, h, body, now)
	kind := h.Get("X-Amzn-Errortype") + string(body[:min(len(body), 4096)])
	if status == http.StatusBadRequest && (strings.Contains(kind, "Throttling") || strings.Contains(kind, "TooManyRequests") || strings.Contains(kind, "LimitExceeded")) {
		j.Verdict = api.Again
	}
	return j
}

// s3Judge: a bucket answers from its own Region only.
func s3Judge(status int, h http.Header, body []byte, now time.Time) api.Judgement {
	j := sesJudge(status, h, body, now)
	if status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect {
		j.Why, j.Hint = "the bucket is in another Region", ""
		if r := h.Get("X-Amz-Bucket-Region"); r != "" {
			j.Why += ", " + r
		}
	}
	return j
}

// sesAPI speaks the v2 API with Signature Version 4.
type sesAPI struct {
	c      *api.Client
	region string

	s3             *api.Client // of import jobs
	bucket, prefix string
}

// openSES opens the account. The API allows about one call a second, so a large
// set goes as an import job.
func openSES(a *account, jobs bool) (*service, error) {
	keys, err := a.Keys.Need(sesKeys...)
	if err != nil {
		return nil, err
	}
	s := &sesAPI{region: a.Keys.Setting("AWS_REGION")}
	if s.region == "" {
		s.region = a.Keys.Setting("AWS_DEFAULT_REGION")
	}
	if jobs {
		at, ok := strings.CutPrefix(a.scope, "s3://")
		if s.bucket, s.prefix, _ = strings.Cut(at, "/"); !ok || s.bucket == "" {
			return nil, errors.New("--scope s3://BUCKET/PREFIX is missing: where the import objects are put for SES to read")
		}
	} else if a.scope != "" {
		s.region = a.scope
	}
	if s.region == "" || strings.ContainsAny(s.region, "/ :") {
		return nil, errors.New("the Region is missing: set AWS_REGION")
	}
	aws := api.AWS{ID: keys[0], Key: keys[1], Session: a.Keys.Optional("AWS_SESSION_TOKEN"), Region: s.region}
	s.c, err = api.New(api.Provider{
		Name: "SES", Base: "https://email." + s.region + ".amazonaws.com", Pace: time.Second, Judge: sesJudge, Sign: aws.Sign("ses"),
	}, &a.Config)
	if err != nil {
		return nil, err
	}
	s.s3, err = api.New(api.Provider{
		Name: "S3", Base: "https://s3." + s.region + ".amazonaws.com", Judge: s3Judge, Sign: aws.Sign("s3"),
	}, &a.Config)
	if err != nil {
		return nil, err
	}
	sv := &service{
		c:     s.c,
		check: func(ctx context.Context, words map[string]bool) error { return s.check(ctx, words, jobs) },
		fetch: s.fetch,
		send:  func(ctx context.Context, _ string, batch []item) (outcome, error) { return s.put(ctx, batch) },
	}
	if jobs {
		sv.send = func(ctx context.Context, _ string, batch []item) (outcome, error) { return s.importJob(ctx, batch) }
		sv.wait = s.wait
	}
	return sv, nil
}

func (s *sesAPI) check(ctx context.Context, words map[string]bool, jobs bool) error {
	var acc struct {
		ProductionAccessEnabled bool
		SuppressionAttributes   struct{ SuppressedReasons []string }
	}
	if err := s.c.Get(ctx, "/v2/email/account", &acc); err != nil {
		return err
	}
	for _, w := range []string{"BOUNCE", "COMPLAINT"} {
		if words[w] && !slices.Contains(acc.SuppressionAttributes.SuppressedReasons, w) {
			return fmt.Errorf("the account does not suppress the reason %s in %s: SES would mail such entries all the same. Switch it on: aws sesv2 put-account-suppression-attributes --suppressed-reasons BOUNCE COMPLAINT", w, s.region)
		}
	}
	if jobs && !acc.ProductionAccessEnabled {
		return fmt.Errorf("the account is in the sandbox in %s: import jobs need production access; use --to ses", s.region)
	}
	return nil
}

func (s *sesAPI) fetch(ctx context.Context, found found) error {
	const at = "/v2/email/suppression/addresses"
	type entry struct{ EmailAddress string }
	return s.c.Pages(ctx, at+"?PageSize=1000", func(path string) (next string, fresh int, err error) {
		var page struct {
			SuppressedDestinationSummaries []entry
			NextToken                      string
		}
		if err := s.c.Get(ctx, path, &page); err != nil {
			return "", 0, err
		}
		if page.NextToken != "" {
			next = at + "?" + url.Values{"PageSize": {"1000"}, "NextToken": {page.NextToken}}.Encode()
		}
		return next, each(found, page.SuppressedDestinationSummaries, func(e *entry) (string, string) { return e.EmailAddress, "" }), nil
	})
}

// put enters one address. It went well when the answer has an empty body
// (PutSuppressedDestination).
func (s *sesAPI) put(ctx context.Context, batch []item) (outcome, error) {
	answer, err := s.c.Send(ctx, "PUT", "/v2/email/suppression/addresses", struct {
		EmailAddress string
		Reason       string
	}{batch[0].Address, batch[0].Say})
	if err != nil {
		return outcome{}, err
	}
	if b := strings.TrimSpace(string(answer)); b != "" && b != "{}" {
		return unsure(batch, "SES", answer), nil
	}
	return outcome{}, nil
}

// object returns the content for an import job and the path of its object: the
// same content has the same name, so that it is there once when it is sent twice.
func (s *sesAPI) object(batch []item) (content []byte, key, path string) {
	for i := range batch {
		content = append(append(append(append(content, batch[i].Address...), ','), batch[i].Say...), '\n')
	}
	sum := sha256.Sum256(content)
	key = strings.TrimPrefix(strings.TrimSuffix(s.prefix, "/")+"/winnow-"+hex.EncodeToString(sum[:8])+".csv", "/")
	return content, key, "/" + api.Escape(s.bucket, false) + "/" + api.Escape(key, true)
}

func (s *sesAPI) importJob(ctx context.Context, batch []item) (outcome, error) {
	content, key, path := s.object(batch)
	answer, err := s.s3.Call(ctx, "PUT", path, "text/csv", content)
	if err != nil {
		return outcome{}, err
	}
	if len(bytes.TrimSpace(answer)) > 0 { // PutObject answers with headers only
		return outcome{}, s.s3.Odd("did not confirm the import object", answer)
	}
	var job struct {
		ImportDestination struct {
			SuppressionListDestination struct {
				Action string `json:"SuppressionListImportAction"`
			}
		}
		ImportDataSource struct {
			S3Url      string
			DataFormat string
		}
	}
	job.ImportDestination.SuppressionListDestination.Action = "PUT"
	job.ImportDataSource.S3Url = "s3://" + s.bucket + "/" + key
	job.ImportDataSource.DataFormat = "CSV"
	if answer, err = s.c.Send(ctx, "POST", "/v2/email/import-jobs", &job); err != nil {
		return outcome{}, err
	}
	var made struct{ JobId string }
	if err := s.c.Decode(answer, &made); err != nil {
		return outcome{}, err
	}
	if made.JobId == "" {
		return outcome{}, s.c.Odd("made a job without a name", answer)
	}
	return outcome{job: made.JobId}, nil
}

func (s *sesAPI) wait(ctx context.Context, id string, batch []item) (outcome, error) {
	var job struct {
		JobStatus             string
		ProcessedRecordsCount int
		FailedRecordsCount    int
		FailureInfo           struct{ ErrorMessage string }
	}
	err := s.c.Poll(ctx, func() (bool, error) {
		err := s.c.Get(ctx, "/v2/email/import-jobs/"+url.PathEscape(id), &job)
		return job.JobStatus != "CREATED" && job.JobStatus != "PROCESSING", err
	})
	if err != nil {
		return outcome{}, err
	}
	// The object holds addresses that the bucket has no more use for.
	_, _, path := s.object(batch)
	if _, err := s.s3.Call(ctx, "DELETE", path, "", nil); err != nil {
		s.c.Note("the import object could not be deleted from s3://" + s.bucket + "/" + s.prefix + "; delete it by hand")
	}
	if job.JobStatus != "COMPLETED" {
		return outcome{unknown: len(batch), why: "import job " + id + " " + ended(job.JobStatus) + ": " + job.FailureInfo.ErrorMessage}, nil
	}
	var out outcome
	if n := min(job.FailedRecordsCount, len(batch)); n > 0 {
		out.rejected = []rejection{{At: -1, N: n, Why: "import job " + id + " left it out; the console shows which"}}
	}
	// Whether the failed are among the processed is not documented: what is in
	// neither was not confirmed.
	if n := job.ProcessedRecordsCount + job.FailedRecordsCount; n < len(batch) {
		out.unknown, out.why = len(batch)-max(n, 0), "import job "+id+" did not confirm it"
	}
	return out, nil
}
