package esp

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The providers, each as it is.

func fakeMailgun(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/v3/domains/mg.example.com":
		reply200(w, map[string]any{"domain": map[string]string{"name": "mg.example.com"}})
	case len(parts) == 3 && parts[1] == "mg.example.com" && r.Method == "GET":
		const size = 100 // smaller than asked for
		at := number(r, "at")
		var items []map[string]string
		for _, a := range page(f.list(parts[2]), at, size) {
			items = append(items, map[string]string{"address": a})
		}
		reply200(w, map[string]any{"items": items, "paging": map[string]string{"next": f.next(fmt.Sprintf("%s%s?at=%d", f.srv.URL, r.URL.Path, at+size))}})
	case len(parts) == 3 && parts[1] == "mg.example.com" && r.Method == "POST":
		var rows []struct{ Address, Code, Error, Created_at string }
		if err := json.Unmarshal(body, &rows); err != nil || len(rows) > 1000 {
			refuse(w, "bad body")
			return
		}
		for _, x := range rows {
			if f.odd(x.Address) {
				refuse(w, "%s is not a valid address", x.Address)
				return
			}
		}
		n := 0
		for _, x := range rows {
			if f.put(parts[2], x.Address, x.Code); !f.silent(x.Address) {
				n++
			}
		}
		reply200(w, map[string]string{"message": fmt.Sprintf("%d addresses have been added to the %s table", n, parts[2])})
	default:
		w.WriteHeader(404)
	}
}

func fakeSendGrid(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
	place := "global"
	if strings.HasPrefix(r.URL.Path, "/v3/asm/groups/42") {
		place = "group"
	}
	switch {
	case r.URL.Path == "/v3/scopes" || r.URL.Path == "/v3/asm/groups/42":
		reply200(w, map[string]any{"scopes": []string{"asm.groups.suppressions.create"}})
	case r.Method == "GET" && r.URL.Path == "/v3/suppression/unsubscribes":
		out := []map[string]string{}
		for _, a := range page(f.list(place), number(r, "offset"), number(r, "limit")) {
			out = append(out, map[string]string{"email": a})
		}
		reply200(w, out)
	case r.Method == "GET" && r.URL.Path == "/v3/asm/groups/42/suppressions":
		reply200(w, f.list(place))
	case r.Method == "POST" && (r.URL.Path == "/v3/asm/suppressions/global" || r.URL.Path == "/v3/asm/groups/42/suppressions"):
		var in struct{ Recipient_emails []string }
		json.Unmarshal(body, &in)
		for _, a := range in.Recipient_emails {
			if f.odd(a) {
				refuse(w, "invalid email %s", a)
				return
			}
		}
		for _, a := range in.Recipient_emails {
			f.put(place, a, "x")
		}
		w.WriteHeader(201)
		json.NewEncoder(w).Encode(map[string]any{"recipient_emails": slices.DeleteFunc(in.Recipient_emails, f.silent)})
	default:
		w.WriteHeader(404)
	}
}

func fakeSES(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
	switch {
	case r.URL.Path == "/v2/email/account":
		reply200(w, map[string]any{"ProductionAccessEnabled": true, "SuppressionAttributes": map[string]any{"SuppressedReasons": []string{"BOUNCE", "COMPLAINT"}}})
	case r.Method == "GET" && r.URL.Path == "/v2/email/suppression/addresses":
		at, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Query().Get("NextToken"), "a/b+c="))
		var out []map[string]string
		all := f.list("ses")
		for _, a := range page(all, at, 50) {
			out = append(out, map[string]string{"EmailAddress": a, "Reason": "BOUNCE"})
		}
		v := map[string]any{"SuppressedDestinationSummaries": out}
		if at+50 < len(all) {
			v["NextToken"] = fmt.Sprintf("a/b+c=%d", at+50)
		}
		reply200(w, v)
	case r.Method == "PUT" && r.URL.Path == "/v2/email/suppression/addresses":
		var in struct{ EmailAddress, Reason string }
		json.Unmarshal(body, &in)
		if f.odd(in.EmailAddress) || in.Reason != "BOUNCE" && in.Reason != "COMPLAINT" {
			refuse(w, "Invalid email address<%s>.", in.EmailAddress)
			return
		}
		f.put("ses", in.EmailAddress, in.Reason) // and an empty body
	case r.Method == "PUT" && strings.HasPrefix(r.URL.Path, "/bucket/winnow/in/"):
		f.object["s3:/"+r.URL.Path] = body
	case r.Method == "DELETE" && strings.HasPrefix(r.URL.Path, "/bucket/winnow/in/"):
		delete(f.object, "s3:/"+r.URL.Path)
		w.WriteHeader(204)
	case r.Method == "POST" && r.URL.Path == "/v2/email/import-jobs":
		var in struct {
			ImportDestination struct {
				SuppressionListDestination struct{ SuppressionListImportAction string }
			}
			ImportDataSource struct{ S3Url, DataFormat string }
		}
		json.Unmarshal(body, &in)
		data, ok := f.object[in.ImportDataSource.S3Url]
		if !ok || in.ImportDataSource.DataFormat != "CSV" || in.ImportDestination.SuppressionListDestination.SuppressionListImportAction != "PUT" {
			refuse(w, "no such object")
			return
		}
		id := fmt.Sprintf("job/%d", len(f.jobs)+1)
		if f.failJobs {
			f.jobs[id] = "FAILED"
		} else {
			f.jobs[id] = "PROCESSING"
			for line := range strings.Lines(string(data)) {
				a, reason, _ := strings.Cut(strings.TrimSpace(line), ",")
				if f.odd(a) {
					f.failed[id]++
					continue
				}
				if f.put("ses", a, reason); !f.silent(a) {
					f.done[id]++
				}
			}
		}
		reply200(w, map[string]string{"JobId": id})
	case r.Method == "GET" && strings.HasPrefix(r.URL.Path, "/v2/email/import-jobs/"):
		id := strings.TrimPrefix(r.URL.Path, "/v2/email/import-jobs/")
		st := f.jobs[id]
		if st == "PROCESSING" {
			f.jobs[id] = "COMPLETED" // at the second look
		}
		reply200(w, map[string]any{"JobStatus": st, "ProcessedRecordsCount": f.done[id], "FailedRecordsCount": f.failed[id], "FailureInfo": map[string]string{"ErrorMessage": "no access for canary@example.com"}})
	default:
		w.WriteHeader(404)
	}
}

func fakePostmark(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
	type row struct{ EmailAddress, Status, Message string }
	switch {
	case r.URL.Path == "/message-streams/broadcast":
		reply200(w, map[string]any{"ID": "broadcast", "ArchivedAt": nil})
	case r.URL.Path == "/message-streams/broadcast/suppressions/dump":
		var out []row
		for _, a := range f.list("pm") {
			out = append(out, row{EmailAddress: a})
		}
		reply200(w, map[string]any{"Suppressions": out})
	case r.Method == "POST" && r.URL.Path == "/message-streams/broadcast/suppressions":
		var in struct{ Suppressions []row }
		json.Unmarshal(body, &in)
		if len(in.Suppressions) > 50 {
			w.WriteHeader(422)
			return
		}
		for i := range in.Suppressions {
			s := &in.Suppressions[i]
			if s.Status = "Suppressed"; f.odd(s.EmailAddress) {
				s.Status, s.Message = "Failed", "An invalid email address was provided: "+s.EmailAddress
				continue
			}
			f.put("pm", s.EmailAddress, "ManualSuppression")
		}
		in.Suppressions = slices.DeleteFunc(in.Suppressions, func(s row) bool { return f.silent(s.EmailAddress) })
		reply200(w, in)
	default:
		w.WriteHeader(404)
	}
}

func fakeSparkPost(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
	const at = "/api/v1/suppression-list"
	switch {
	case r.URL.Path == at+"/summary":
		reply200(w, map[string]any{"results": map[string]int{"total": len(f.state)}})
	case r.Method == "GET" && r.URL.Path == at:
		var all []map[string]string
		for _, place := range []string{"transactional", "non_transactional"} {
			for _, a := range f.list(place) {
				all = append(all, map[string]string{"recipient": a, "type": place})
			}
		}
		n := number(r, "cursor")
		links := []map[string]string{{"href": at + "?cursor=initial", "rel": "first"}}
		if n+60 < len(all) {
			links = append(links, map[string]string{"href": f.next(fmt.Sprintf("%s?cursor=%d", at, n+60)), "rel": "next"})
		}
		reply200(w, map[string]any{"results": page(all, n, 60), "links": links})
	case r.Method == "PUT" && r.URL.Path == at:
		var in struct{ Recipients []sparkpostRow }
		json.Unmarshal(body, &in)
		if len(in.Recipients) > 10000 {
			w.WriteHeader(413)
			return
		}
		for _, x := range in.Recipients {
			if f.odd(x.Recipient) {
				w.WriteHeader(400)
				fmt.Fprintf(w, `{"errors":[{"message":"Recipient %s is invalid"}]}`, x.Recipient)
				return
			}
		}
		for _, x := range in.Recipients {
			f.put(x.Type, x.Recipient, x.Description)
		}
		reply200(w, map[string]any{"results": map[string]string{"message": "Suppression List successfully updated"}})
	default:
		w.WriteHeader(404)
	}
}

func fakeMailchimp(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
	switch {
	case r.Method == "GET" && r.URL.Path == "/3.0/lists/aud1":
		reply200(w, map[string]string{"id": "aud1"})
	case r.Method == "GET" && r.URL.Path == "/3.0/lists/aud1/members":
		var out []map[string]string
		for _, a := range page(f.list(r.URL.Query().Get("status")), number(r, "offset"), number(r, "count")) {
			out = append(out, map[string]string{"email_address": a})
		}
		reply200(w, map[string]any{"members": out})
	case r.Method == "POST" && r.URL.Path == "/3.0/lists/aud1":
		var in struct {
			Members         []struct{ Email_address, Status string }
			Update_existing bool
		}
		json.Unmarshal(body, &in)
		if len(in.Members) > 500 || !in.Update_existing || r.URL.Query().Get("skip_merge_validation") != "true" {
			refuse(w, "too many, or a required merge field is missing")
			return
		}
		errs, added, updated := []map[string]string{}, []map[string]string{}, []map[string]string{}
		for _, m := range in.Members {
			if f.odd(m.Email_address) {
				errs = append(errs, map[string]string{"email_address": m.Email_address, "error": m.Email_address + " looks fake", "error_code": "ERROR_GENERIC"})
				continue
			}
			if f.silent(m.Email_address) {
				continue
			}
			contact := map[string]string{"email_address": m.Email_address, "status": m.Status}
			if _, there := f.state[m.Status+" "+strings.ToLower(m.Email_address)]; there {
				updated = append(updated, contact)
			} else {
				added = append(added, contact)
			}
			f.put(m.Status, m.Email_address, "x")
		}
		reply200(w, map[string]any{
			"new_members": added, "updated_members": updated, "errors": errs,
			"total_created": len(added), "total_updated": len(updated), "error_count": len(errs),
		})
	default:
		w.WriteHeader(404)
	}
}

func fakeBrevo(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
	switch {
	case r.URL.Path == "/v3/contacts/lists/7":
		reply200(w, map[string]int{"id": 7})
	case r.Method == "GET" && r.URL.Path == "/v3/contacts":
		var out []map[string]any
		for _, a := range page(f.list("black"), number(r, "offset"), number(r, "limit")) {
			out = append(out, map[string]any{"email": a, "emailBlacklisted": true})
		}
		reply200(w, map[string]any{"contacts": out})
	case r.Method == "POST" && r.URL.Path == "/v3/contacts/import":
		var in struct {
			JsonBody       []struct{ Email string }
			ListIds        []int
			EmailBlacklist bool
		}
		if json.Unmarshal(body, &in); !in.EmailBlacklist || len(in.ListIds) != 1 {
			refuse(w, "bad import")
			return
		}
		id := fmt.Sprint(len(f.jobs) + 1)
		if f.jobs[id] = "queued"; f.failJobs {
			f.jobs[id] = "failed"
		} else {
			for _, c := range in.JsonBody {
				if !f.odd(c.Email) {
					f.put("black", c.Email, "x")
				}
			}
		}
		w.WriteHeader(202)
		fmt.Fprintf(w, `{"processId":%s}`, id)
	case strings.HasPrefix(r.URL.Path, "/v3/processes/"):
		id := strings.TrimPrefix(r.URL.Path, "/v3/processes/")
		st := f.jobs[id]
		if next := map[string]string{"queued": "in_process", "in_process": "processing", "processing": "completed"}[st]; next != "" {
			f.jobs[id] = next
		}
		fmt.Fprintf(w, `{"id":%s,"status":%q}`, id, st)
	default:
		w.WriteHeader(404)
	}
}

func fakeKlaviyo(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
	const jobs = "/api/profile-suppression-bulk-create-jobs"
	switch {
	case r.URL.Path == "/api/profiles":
		q := r.URL.Query()
		if !strings.HasPrefix(q.Get("filter"), "greater-than(subscriptions.email.marketing.suppression.timestamp,") {
			refuse(w, "bad filter")
			return
		}
		at := number(r, "page[cursor]")
		var out []any
		all := f.list("kl")
		for _, a := range page(all, at, 100) {
			out = append(out, map[string]any{"type": "profile", "id": "1", "attributes": map[string]string{"email": a}})
		}
		links := map[string]any{"next": nil}
		if at+100 < len(all) {
			q.Set("page[cursor]", fmt.Sprint(at+100))
			links["next"] = f.next(f.srv.URL + "/api/profiles?" + q.Encode())
		}
		reply200(w, map[string]any{"data": out, "links": links})
	case r.Method == "POST" && r.URL.Path == jobs:
		var in klaviyoData[klaviyoObject[klaviyoProfiles]]
		json.Unmarshal(body, &in)
		ps := in.Data.Attributes.Profiles.Data
		if len(ps) > 100 || r.Header.Get("Content-Type") != "application/vnd.api+json" {
			refuse(w, "bad job")
			return
		}
		for _, p := range ps {
			if f.odd(p.Attributes.Email) {
				w.WriteHeader(400)
				fmt.Fprintf(w, `{"errors":[{"title":"Invalid input.","detail":"Invalid email address %s"}]}`, p.Attributes.Email)
				return
			}
		}
		id := fmt.Sprint(len(f.jobs) + 1)
		if f.jobs[id] = "processing"; f.failJobs {
			f.jobs[id] = "cancelled"
		} else {
			for _, p := range ps {
				if _, ok := f.state["kl "+strings.ToLower(p.Attributes.Email)]; ok {
					f.failed[id]++ // suppressed before: skipped
				}
				f.put("kl", p.Attributes.Email, "x")
			}
		}
		w.WriteHeader(202)
		fmt.Fprintf(w, `{"data":{"type":"profile-suppression-bulk-create-job","id":%q}}`, id)
	case strings.HasPrefix(r.URL.Path, jobs+"/"):
		id := strings.TrimPrefix(r.URL.Path, jobs+"/")
		st := f.jobs[id]
		if st == "processing" {
			f.jobs[id] = "complete"
		}
		fmt.Fprintf(w, `{"data":{"type":"profile-suppression-bulk-create-job","id":%q,"attributes":{"status":%q,"skipped_count":%d}}}`, id, st, f.failed[id])
	default:
		w.WriteHeader(404)
	}
}

func fakeListmonk(f *fake, w http.ResponseWriter, r *http.Request, body []byte) {
	switch {
	case r.Method == "GET" && r.URL.Path == "/api/import/subscribers":
		st := f.jobs["import"]
		if st == "" {
			st = "none"
		}
		if st == "importing" {
			f.jobs["import"] = "finished"
		}
		fmt.Fprintf(w, `{"data":{"status":%q,"total":0,"imported":%d}}`, st, f.failed["imported"])
	case r.Method == "GET" && r.URL.Path == "/api/subscribers":
		var out []map[string]string
		size := number(r, "per_page")
		for _, a := range page(f.list("lm"), (number(r, "page")-1)*size, size) {
			out = append(out, map[string]string{"email": a})
		}
		reply200(w, map[string]any{"data": map[string]any{"results": out}})
	case r.Method == "POST" && r.URL.Path == "/api/import/subscribers":
		if f.jobs["import"] == "importing" {
			refuse(w, "An import is already running.")
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		if err := r.ParseMultipartForm(1 << 24); err != nil || !strings.Contains(r.FormValue("params"), `"mode":"blocklist"`) {
			refuse(w, "bad form")
			return
		}
		file, _, err := r.FormFile("file")
		if err != nil {
			refuse(w, "no file")
			return
		}
		if f.jobs["import"] = "importing"; f.failJobs {
			f.jobs["import"] = "failed"
			reply200(w, map[string]any{})
			return
		}
		f.failed["imported"] = 0
		sc := bufio.NewScanner(file)
		for n := 0; sc.Scan(); n++ {
			if n == 0 {
				if sc.Text() != "email" {
					f.jobs["import"] = "failed"
					break
				}
				continue
			}
			if !f.odd(sc.Text()) && !f.silent(sc.Text()) {
				f.put("lm", sc.Text(), "x")
				f.failed["imported"]++
			}
		}
		reply200(w, map[string]any{"data": map[string]string{"status": "importing"}})
	default:
		w.WriteHeader(404)
	}
}
