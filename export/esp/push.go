package esp

// Config is what a push needs to know of the account.
type Config struct{}

type provider interface{}
