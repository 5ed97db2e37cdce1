package export

// The ways to move a directory.
const (
	moveOver  = iota // as rename(2): only an empty directory is replaced
	moveNew          // nothing may be at the new place
	moveTwice        // the two change places in one step; errors.ErrUnsupported where the file system cannot
)
