package files

import (
	"os"
)

// Temp is a private temporary file (mode 0600) that nobody finds: where the system
// allows it the file has no name any more, so that nothing is left however the
// program ends. Elsewhere Close removes it.
type Temp struct {
	*os.File
}

// NewTemp makes a temporary file in dir, or in the system's folder for them.
func NewTemp(dir string) (*Temp, error) {
	f, err := os.CreateTemp(dir, ".winnow-*") // O_EXCL, 0600
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name()) // an error means that Close will do it
	return &Temp{f}, nil
}

// Close closes the file, which is gone then.
func (t *Temp) Close() error {
	err := t.File.Close()
	os.Remove(t.Name())
	return err
}
