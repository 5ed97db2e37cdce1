package esp

import (
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
	ScopeHelp: "the Region, e.g. eu-west-1 (or AWS_REGION)", KeyNames: sesKeys, open: func(c *Config) (*api, error) { return openSES(c, false) },
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
	ScopeHelp: "s3://BUCKET/PREFIX for the import objects; the Region from AWS_REGION", KeyNames: sesKeys, open: func(c *Config) (*api, error) { return openSES(c, true) },
	files: sesFiles,
	Steps: sesSteps,
	Docs:  "https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html",
}

var sesKeys = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}

// sesJudge: SES throttles with 429 TooManyRequestsException or with 400
// ThrottlingException, and says no time.
func sesJudge(status int, h http.Header, body []byte, now time.Time) judgement {
	j := common(status, h, body, now)
	kind := h.Get("X-Amzn-Errortype") + string(body[:min(len(body), 4096)])
	if status == http.StatusBadRequest && (strings.Contains(kind, "Throttling") || strings.Contains(kind, "TooManyRequests") || strings.Contains(kind, "LimitExceeded")) {
		j.verdict = again
	}
	return j
}

// s3Judge: a bucket answers from its own Region only.
func s3Judge(status int, h http.Header, body []byte, now time.Time) judgement {
	j := sesJudge(status, h, body, now)
	if status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect {
		j.why = "the bucket is in another Region"
		if r := h.Get("X-Amz-Bucket-Region"); r != "" {
			j.why += ", " + oneLine(r, 40)
		}
	}
	return j
}

// openSES speaks the v2 API with Signature Version 4. The API allows about one
// call a second, so a large set goes as an import job.
func openSES(c *Config, jobs bool) (*api, error) {
	keys, err := c.keys(sesKeys...)
	if err != nil {
		return nil, err
	}
	region := c.Key("AWS_REGION").s
	if region == "" {
		region = c.Key("AWS_DEFAULT_REGION").s
	}
	var bucket, prefix string
	if jobs {
		at, ok := strings.CutPrefix(c.Scope, "s3://")
		bucket, prefix, _ = strings.Cut(at, "/")
		if !ok || bucket == "" {
			return nil, errors.New("--scope s3://BUCKET/PREFIX is missing: where the import objects are put for SES to read")
		}
	} else if c.Scope != "" {
		region = c.Scope
	}
	if region == "" || strings.ContainsAny(region, "/ :") {
		return nil, errors.New("the Region is missing: set AWS_REGION")
	}
	signer := &awsKeys{id: keys[0].s, secret: keys[1], session: c.Key("AWS_SESSION_TOKEN"), region: region}
	as := func(service string) func(*http.Request, []byte) error {
		return func(r *http.Request, body []byte) error {
			signer.sign(r, body, service, time.Now())
			return nil
		}
	}
	cl, err := newClient("SES", "https://email."+region+".amazonaws.com", c, sesJudge, time.Second, as("ses"))
	if err != nil {
		return nil, err
	}
	s3, err := newClient("S3", "https://s3."+region+".amazonaws.com", c, s3Judge, 0, as("s3"))
	if err != nil {
		return nil, err
	}
	a := &api{c: cl}
	a.check = func(ctx context.Context, words map[string]bool) error {
		var acc struct {
			ProductionAccessEnabled bool
			SuppressionAttributes   struct{ SuppressedReasons []string }
		}
		if err := cl.json(ctx, "GET", "/v2/email/account", nil, &acc); err != nil {
			return err
		}
		for _, w := range []string{"BOUNCE", "COMPLAINT"} {
			if words[w] && !slices.Contains(acc.SuppressionAttributes.SuppressedReasons, w) {
				return fmt.Errorf("the account does not suppress the reason %s in %s: SES would mail such entries all the same. Switch it on: aws sesv2 put-account-suppression-attributes --suppressed-reasons BOUNCE COMPLAINT", w, region)
			}
		}
		if jobs && !acc.ProductionAccessEnabled {
			return fmt.Errorf("the account is in the sandbox in %s: import jobs need production access; use --to ses", region)
		}
		return nil
	}
	a.fetch = func(ctx context.Context, yield func(address, place string)) error {
		for token := ""; ; {
			q := url.Values{"PageSize": {"1000"}}
			if token != "" {
				q.Set("NextToken", token)
			}
			var page struct {
				SuppressedDestinationSummaries []struct{ EmailAddress string }
				NextToken                      string
			}
			if err := cl.json(ctx, "GET", "/v2/email/suppression/addresses?"+q.Encode(), nil, &page); err != nil {
				return err
			}
			for _, s := range page.SuppressedDestinationSummaries {
				yield(s.EmailAddress, "")
			}
			if token = page.NextToken; token == "" {
				return nil
			}
		}
	}
	if !jobs {
		a.send = func(ctx context.Context, _ string, batch []item) (outcome, error) {
			return outcome{}, cl.json(ctx, "PUT", "/v2/email/suppression/addresses", struct {
				EmailAddress string
				Reason       string
			}{batch[0].Address, batch[0].Say}, nil)
		}
		return a, nil
	}
	type dest struct {
		Action string `json:"SuppressionListImportAction"`
	}
	type importJob struct {
		ImportDestination struct {
			SuppressionListDestination dest
		}
		ImportDataSource struct {
			S3Url      string
			DataFormat string
		}
	}
	object := func(body []byte) string {
		sum := sha256.Sum256(body)
		return strings.TrimPrefix(strings.TrimSuffix(prefix, "/")+"/winnow-"+hex.EncodeToString(sum[:8])+".csv", "/")
	}
	content := func(batch []item) []byte {
		var b []byte
		for i := range batch {
			b = append(append(append(append(b, batch[i].Address...), ','), batch[i].Say...), '\n')
		}
		return b
	}
	s3path := func(key string) string { return "/" + awsEscape(bucket, false) + "/" + awsEscape(key, true) }
	a.send = func(ctx context.Context, _ string, batch []item) (outcome, error) {
		body := content(batch)
		key := object(body) // the same content has the same name: sent twice, it is there once
		if _, err := s3.call(ctx, "PUT", s3path(key), "text/csv", body); err != nil {
			return outcome{}, err
		}
		var job importJob
		job.ImportDestination.SuppressionListDestination.Action = "PUT"
		job.ImportDataSource.S3Url = "s3://" + bucket + "/" + key
		job.ImportDataSource.DataFormat = "CSV"
		var made struct{ JobId string }
		if err := cl.json(ctx, "POST", "/v2/email/import-jobs", &job, &made); err != nil {
			return outcome{}, err
		}
		if made.JobId == "" {
			return outcome{}, &callError{verdict: maybe, why: "SES made a job without a name"}
		}
		return outcome{job: made.JobId}, nil
	}
	a.wait = func(ctx context.Context, id string, batch []item) (outcome, error) {
		var job struct {
			JobStatus             string
			ProcessedRecordsCount int
			FailedRecordsCount    int
			FailureInfo           struct{ ErrorMessage string }
		}
		err := a.poll(ctx, func() (bool, error) {
			err := cl.json(ctx, "GET", "/v2/email/import-jobs/"+url.PathEscape(id), nil, &job)
			return job.JobStatus == "COMPLETED" || job.JobStatus == "FAILED", err
		})
		if err != nil {
			return outcome{}, err
		}
		// The object holds addresses that the bucket has no more use for.
		if _, err := s3.call(ctx, "DELETE", s3path(object(content(batch))), "", nil); err != nil {
			cl.note("the import object could not be deleted from s3://" + bucket + "/" + prefix + "; delete it by hand")
		}
		if job.JobStatus == "FAILED" {
			return outcome{unknown: len(batch), why: "import job " + id + " failed: " + oneLine(masked(job.FailureInfo.ErrorMessage), 200)}, nil
		}
		if n := min(job.FailedRecordsCount, len(batch)); n > 0 {
			return outcome{rejected: []rejection{{At: -1, N: n, Why: "import job " + id + " left it out; the console shows which"}}}, nil
		}
		return outcome{}, nil
	}
	return a, nil
}
