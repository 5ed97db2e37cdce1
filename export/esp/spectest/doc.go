// Package spectest holds what winnow sends against the OpenAPI files that the
// providers publish. The files are not part of winnow; put those you have into
// a folder and name it:
//
//	WINNOW_SPECS=/path/to/folder go test .
//
// in this folder. It is a module of its own, so that winnow itself does not need
// the validator (kin-openapi).
//
//	sendgrid.json   github.com/twilio/sendgrid-oai spec/json/tsg_suppressions_v3.json
//	klaviyo.json    github.com/klaviyo/openapi openapi/stable.json, or
//	                openapi/stable/apis/bulk_suppress_profiles.json
//	sparkpost.json, mailchimp.json, brevo.json, mailgun.json, postmark.json: any
//	                OpenAPI 3 form of those APIs
package spectest
