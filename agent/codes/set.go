package codes

// File is a person's own file of codes, codes.toml.
type File struct {
	Name  string
	Rows  []Row
	Units []UnitRow
}

// Set is all that a laboratory has of codes.
type Set struct {
	Own        File
	Catalogues []*Catalogue
}

// Book makes the Book of the set.
func (s Set) Book() *Book {
	var rows [][]Row
	for _, c := range s.Catalogues {
		rows = append(rows, c.Rows)
	}
	return NewBook(s.Own.Rows, s.Own.Units, rows...)
}
