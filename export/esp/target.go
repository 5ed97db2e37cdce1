package esp

// Caps is what a target can hold and what it does beside holding it.
type Caps struct {
	Words      map[Reason]string // the provider's word; a reason that is absent cannot be held
	Scope      string            // for what one entry counts: account, domain, stream, audience …
	MaxRows    int               // of one file, header included; 0: no limit known
	MaxBytes   int64             // of one file; 0: no limit known
	Batch      int               // addresses in one call of the API
	BatchBytes int               // bytes of the body of one call; 0: no limit known

	CreatesContacts bool   // unknown addresses become contacts, which may cost money
	Destructive     bool   // other data of the address is lost
	Reversible      bool   // an entry can be taken back by the user
	Async           bool   // the provider works it off later
	Beside          string // what else a user should know before, one sentence each
}

// Target is one place that suppressions can go to.
type Target struct {
	Name  string // as on the command line
	Title string // as the provider writes itself
	Caps
	Steps     []string // how to import the files, in the provider's own terms
	Docs      string   // where the provider describes it; "": no page was checked
	ScopeHelp string   // what the scope of a push names; "": it has none
	KeyNames  []string // the environment variables of the credentials

	files      []file
	anyAddress bool // takes whatever was on the list, well-formed or not
	hash       string
	open       func(*account) (*service, error) // nil: files only
}

// CanPush says whether the target has an API that winnow writes to.
func (t *Target) CanPush() bool { return t.open != nil }

// Effects says in a line what an entry is there.
func (t *Target) Effects() string {
	s := "Scope: " + t.Scope + "."
	if t.CreatesContacts {
		s += " Unknown addresses become contacts."
	}
	if t.Destructive {
		s += " Other data of the address is lost."
	}
	if t.Reversible {
		s += " Entries can be taken back by hand."
	} else {
		s += " Entries cannot be taken back by you."
	}
	if t.Async {
		s += " They are worked off later."
	}
	return s
}

// Dangers names what a push does beside suppressing, for which the user's word
// is needed.
func (t *Target) Dangers() []string {
	var d []string
	if t.CreatesContacts {
		d = append(d, "creates-contacts")
	}
	if t.Destructive {
		d = append(d, "destructive")
	}
	return d
}
