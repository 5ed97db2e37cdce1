package esp

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

// sesVectors are the calls that the vendor's own client (botocore) makes of the
// parameters in TestSESModel.
const sesVectors = "testdata/ses-calls.json"

// TestSESModel compares our SES calls with those that the vendor's own client
// model makes of the same parameters. WINNOW_LONG asks that client again, where
// there is one.
func TestSESModel(t *testing.T) {
	type call struct {
		Method, Path string
		Query        map[string][]string
		Body         any
	}
	var ours []call
	record := func(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
		if strings.HasPrefix(r.URL.Path, "/v2/") {
			c := call{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query()}
			json.Unmarshal(body, &c.Body)
			ours = append(ours, c)
		}
		fakeSES(f, w, r, body)
	}
	for _, name := range []string{"ses", "ses-import"} {
		f := newFake(t, name)
		f.serve = record
		if name == "ses" {
			for _, a := range many(60) { // so that the list has a second page
				f.state["ses "+a.Address] = "BOUNCE"
			}
		}
		tg := must(Find(name))(t)
		if _, err := Push(t.Context(), tg, source("set", pushSet(2)), f.options(t)); err != nil {
			t.Fatal(err)
		}
	}
	var s3 string
	for _, c := range ours {
		if c.Path == "/v2/email/import-jobs" {
			s3 = c.Body.(map[string]any)["ImportDataSource"].(map[string]any)["S3Url"].(string)
		}
	}
	type p = map[string]any
	params, _ := json.Marshal([][2]any{
		{"GetAccount", p{}},
		{"ListSuppressedDestinations", p{"PageSize": 1000}},
		{"ListSuppressedDestinations", p{"PageSize": 1000, "NextToken": "a/b+c=50"}},
		{"PutSuppressedDestination", p{"EmailAddress": "Person0000@example.com", "Reason": "BOUNCE"}},
		{"PutSuppressedDestination", p{"EmailAddress": "Person0001@example.com", "Reason": "BOUNCE"}},
		{"GetAccount", p{}},
		{"ListSuppressedDestinations", p{"PageSize": 1000}},
		{"CreateImportJob", p{"ImportDestination": p{"SuppressionListDestination": p{"SuppressionListImportAction": "PUT"}}, "ImportDataSource": p{"S3Url": s3, "DataFormat": "CSV"}}},
		{"GetImportJob", p{"JobId": "job/1"}},
		{"GetImportJob", p{"JobId": "job/1"}},
	})
	theirs := must(os.ReadFile(sesVectors))(t)
	if os.Getenv("WINNOW_LONG") != "" {
		if again := askBotocore(t, params); again != nil {
			if *update {
				os.WriteFile(sesVectors, again, 0o644)
			}
			if !bytes.Equal(again, theirs) {
				t.Errorf("the vendor's client makes other calls now:\n%s", again)
			}
		}
	}
	var calls []call
	if err := json.Unmarshal(theirs, &calls); err != nil {
		t.Fatal(err)
	}
	if len(ours) != len(calls) {
		t.Fatalf("%d calls, the model makes %d", len(ours), len(calls))
	}
	for i := range ours {
		if len(ours[i].Query) == 0 {
			ours[i].Query = map[string][]string{}
		}
		if !reflect.DeepEqual(ours[i], calls[i]) {
			t.Errorf("call %d:\n got %+v\nwant %+v", i, ours[i], calls[i])
		}
	}
}

// botocoreScript prints the calls for the operations on its standard input.
const botocoreScript = `
import json, sys
from urllib.parse import urlsplit, parse_qs, unquote
import botocore.session
from botocore.awsrequest import prepare_request_dict
c = botocore.session.get_session().create_client("sesv2", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
out = []
for op, params in json.load(sys.stdin):
    m = c.meta.service_model.operation_model(op)
    d = c._serializer.serialize_to_request(params, m)
    b = d["body"]
    out.append({"Method": d["method"], "Path": unquote(d["url_path"]), "Query": {k: v if isinstance(v, list) else [str(v)] for k, v in d["query_string"].items()}, "Body": json.loads(b) if b else None})
    import botocore.validate
    e = botocore.validate.ParamValidator().validate(params, m.input_shape) if m.input_shape else None
    assert not e or not e.has_errors(), e.generate_report()
print(json.dumps(out, indent=1, sort_keys=True))
`

// askBotocore asks the vendor's client for its calls; nil when there is none.
func askBotocore(t *testing.T, params []byte) []byte {
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import botocore").Run() != nil {
		t.Log("skipped: botocore is not there")
		return nil
	}
	cmd := exec.Command(python, "-c", botocoreScript)
	cmd.Stdin = bytes.NewReader(params)
	out, err := cmd.Output()
	if err != nil {
		var e *exec.ExitError
		if errors.As(err, &e) {
			t.Fatalf("%v\n%s", err, e.Stderr)
		}
		t.Fatal(err)
	}
	return out
}
