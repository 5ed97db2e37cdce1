package dnsmx

// providerOf and parkedHost stand in until validate/lists is there.
func providerOf(host string) string { return "" }
func parkedHost(host string) bool   { return false }
