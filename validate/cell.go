package validate

// CellAddress is one address found in a cell of a list.
type CellAddress struct {
	Address string   // repaired, to be parsed
	Repairs []string // what had to be done, as codes: "display_name", "mailto", "invisible", "entity", "trailing_dot" …; nil when nothing
}

// ParseCell finds the addresses in a cell of a list: usually one, as it
// stands, in which case nothing is allocated beyond dst.
func ParseCell(dst []CellAddress, cell string) []CellAddress {
	return append(dst, CellAddress{Address: cell})
}
