package esp

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
		Beside: sesBeside,
	},
	files: sesFiles,
	Steps: sesSteps,
}

var sesImport = &Target{
	Name: "ses-import", Title: "Amazon SES, import jobs through S3",
	Caps: Caps{
		Words: sesWords, Scope: "account and Region", MaxRows: 100_000, Batch: 100_000, Reversible: true, Async: true,
		Beside: sesBeside + ". Import jobs need production access and a bucket that SES may read",
	},
	files: sesFiles,
	Steps: sesSteps,
}
