package esp

import "time"

// Balance says where every entry of a push is. Written counts what had to be
// sent: Written = Sent + Rejected + Unknown + Pending.
type Balance struct {
	Report
	Sent     int64 `json:"sent"`
	Rejected int64 `json:"rejected"`
	Unknown  int64 `json:"unknown"` // whether they arrived cannot be told
	Pending  int64 `json:"pending"` // not tried

	DryRun  bool          `json:"dry_run,omitempty"`
	Offline bool          `json:"offline,omitempty"` // a dry run without a key: the provider was not asked
	Resumed bool          `json:"resumed,omitempty"`
	Calls   int64         `json:"calls"` // of a dry run: that would be made
	Least   time.Duration `json:"-"`     // of a dry run: how long they take at the provider's pace
	Notes   []string      `json:"notes,omitempty"`
	Lists   []string      `json:"lists,omitempty"`   // files with the rejected and the unknown
	Stopped string        `json:"stopped,omitempty"` // why a dry run would not be carried out
}
