// Package spectest holds what winnow sends against the OpenAPI files that the
// providers publish. The files are not part of winnow; put those you have into
// a folder and name it:
//
//	WINNOW_SPECS=/path/to/folder go test -tags spec -modfile=spec.mod .
//
// in this folder. The validator (kin-openapi) stands in spec.mod, so that winnow
// itself does not need it: it is a copy of go.mod with three lines more, which
// 'go get -modfile=spec.mod github.com/getkin/kin-openapi/...' puts back.
//
//	sendgrid.json   github.com/twilio/sendgrid-oai spec/json/tsg_suppressions_v3.json
//	klaviyo.json    github.com/klaviyo/openapi openapi/stable.json, or
//	                openapi/stable/apis/bulk_suppress_profiles.json
//	sparkpost.json, mailchimp.json, brevo.json, mailgun.json, postmark.json: any
//	                OpenAPI 3 form of those APIs
package spectest
