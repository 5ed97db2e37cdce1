package esp

// SparkPost (Bird) keeps an entry for each address and type of mail
// (SparkPost/developers.sparkpost.com suppression-list).

type sparkpostRow struct {
	Recipient   string `csv:"recipient" json:"recipient"`
	Type        string `csv:"type" json:"type"`
	Description string `csv:"description" json:"description,omitempty"`
}

// sparkpostRows makes the entries of one address. A dead address takes neither
// type of mail; who unsubscribed or complained still gets receipts.
func sparkpostRows(e *Entry, word string) []sparkpostRow {
	text := "winnow: " + e.Word
	if d := date(e.At, "2006-01-02"); d != "" {
		text += " " + d
	}
	r := []sparkpostRow{{e.Address, "non_transactional", text}}
	if word == "both types" {
		r = append(r, sparkpostRow{e.Address, "transactional", text})
	}
	return r
}

var sparkpost = &Target{
	Name: "sparkpost", Title: "SparkPost (Bird)",
	Caps: Caps{
		Words: map[Reason]string{
			HardBounce: "both types", DeadDomain: "both types",
			Complaint: "non_transactional", Unsubscribe: "non_transactional", Manual: "non_transactional",
			SoftBounce: "non_transactional", Disposable: "non_transactional", Role: "non_transactional", Typo: "non_transactional", Stale: "non_transactional",
		},
		Scope: "account or subaccount", MaxRows: 100_000, Batch: 5000, BatchBytes: 50_000_000, Reversible: true,
		Beside: "an entry counts for one type of mail: dead addresses are entered for both types, opt-outs for non_transactional only",
	},
	files: []file{{name: "sparkpost-suppressions", what: "an entry a type of mail", enc: rows(sparkpostRows)}},
	Steps: []string{
		"Lists > Suppressions > Add suppressions > Bulk upload (Recipients > Suppression list in older accounts).",
		"Choose the file. For a subaccount switch to it first.",
	},
}
