// Package clinical is what is known of a patient beside the images: age, menopause, family history, why the examination
// was made and what was found before. It reads these from cells of a table and from DICOM attributes, and encodes them
// as a fixed matrix of numbers for a network. Everything can be unknown; nothing is guessed, and no free text is read.
package clinical

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mome/experts"
)

// Context is what is known of one patient at one examination. The zero value knows nothing.
type Context struct {
	AgeYears      experts.Quantity // completed years, 0 to MaxAgeYears
	Menopause     Menopause
	FamilyHistory FamilyHistory
	Indication    Indication
	Prior         Prior
}

// MaxAgeYears is the greatest age that is believed; the oldest person on record became 122.
const MaxAgeYears = 122

// Menopause is the menopausal status. "" is unknown, as for all types of this package.
type Menopause string

// Menopausal states.
const (
	Premenopausal  Menopause = "premenopausal"
	Perimenopausal Menopause = "perimenopausal"
	Postmenopausal Menopause = "postmenopausal"
)

// FamilyHistory is the strongest of what is known about breast or ovarian cancer in the family.
type FamilyHistory string

// Family histories.
const (
	NoRelatives  FamilyHistory = "none"
	SecondDegree FamilyHistory = "second-degree" // a relative of the second degree or further
	FirstDegree  FamilyHistory = "first-degree"  // parent, sibling or child
	Mutation     FamilyHistory = "mutation"      // a pathogenic variant in the patient, such as of BRCA1 or BRCA2
)

// Indication is why the examination was made.
type Indication string

// Indications.
const (
	Screening      Indication = "screening"       // without a finding
	ProblemSolving Indication = "problem-solving" // a symptom, or a finding of another method
	Staging        Indication = "staging"         // extent of a cancer that is proven
	Response       Indication = "response"        // of a cancer under treatment
	FollowUp       Indication = "follow-up"       // of an earlier finding, or after treatment
)

// Prior is the gravest of what was found in either breast before.
type Prior string

// Prior findings.
const (
	NoPrior  Prior = "none"
	Benign   Prior = "benign"    // a biopsy with benign result
	HighRisk Prior = "high-risk" // atypia or lobular neoplasia, or radiation to the chest
	Cancer   Prior = "cancer"
)

// Unknown is how tables write a value that is not known; an empty cell says the same.
const Unknown = "unknown"

// field is one line of the encoding.
type field struct {
	name   string
	values []string // of a categorical field; nil for the age
	get    func(*Context) string
	set    func(*Context, string)
}

// fields are the lines of the encoding in order. Weights depend on the order of fields and values: new ones go last, and
// make weights that were trained before unreadable.
func fields() []field {
	return []field{
		{name: "age_years"},
		{
			name:   "menopause",
			values: []string{string(Premenopausal), string(Perimenopausal), string(Postmenopausal)},
			get:    func(c *Context) string { return string(c.Menopause) },
			set:    func(c *Context, v string) { c.Menopause = Menopause(v) },
		},
		{
			name:   "family_history",
			values: []string{string(NoRelatives), string(SecondDegree), string(FirstDegree), string(Mutation)},
			get:    func(c *Context) string { return string(c.FamilyHistory) },
			set:    func(c *Context, v string) { c.FamilyHistory = FamilyHistory(v) },
		},
		{
			name:   "indication",
			values: []string{string(Screening), string(ProblemSolving), string(Staging), string(Response), string(FollowUp)},
			get:    func(c *Context) string { return string(c.Indication) },
			set:    func(c *Context, v string) { c.Indication = Indication(v) },
		},
		{
			name:   "prior",
			values: []string{string(NoPrior), string(Benign), string(HighRisk), string(Cancer)},
			get:    func(c *Context) string { return string(c.Prior) },
			set:    func(c *Context, v string) { c.Prior = Prior(v) },
		},
	}
}

// FieldNames are the names of the fields in tables, in the order of the encoding's lines: age_years, menopause,
// family_history, indication, prior.
func FieldNames() []string {
	var names []string
	for _, f := range fields() {
		names = append(names, f.name)
	}
	return names
}

// Values are the values that a field of a table may have beside a number, Unknown last.
func Values(name string) []string {
	for _, f := range fields() {
		if f.name == name {
			return append(slices.Clone(f.values), Unknown)
		}
	}
	return nil
}

// Parse reads a context from the cells of a table by their column's name. Cells may be missing, empty or Unknown; other
// columns are passed over; upper and lower case are the same. The error names the field and what it may hold, and not
// the cell, which is a patient's.
func Parse(cells map[string]string) (Context, error) {
	var c Context
	for _, f := range fields() {
		text := strings.ToLower(strings.TrimSpace(cells[f.name]))
		if text == "" || text == Unknown {
			continue
		}
		if f.values == nil {
			years, err := strconv.ParseFloat(text, 64)
			if err != nil || !validAge(years) {
				return Context{}, fmt.Errorf("clinical context: field %s is not a number of years from 0 to %d or %q", f.name, MaxAgeYears, Unknown)
			}
			c.AgeYears = experts.Known(years)
			continue
		}
		f.set(&c, text)
	}
	return c, c.Check()
}

// Check says which field has a value that it cannot have.
func (c Context) Check() error {
	if c.AgeYears.Known && !validAge(c.AgeYears.Value) {
		return fmt.Errorf("clinical context: field %s is not between 0 and %d", fields()[0].name, MaxAgeYears)
	}
	for _, f := range fields()[1:] {
		if v := f.get(&c); v != "" && !slices.Contains(f.values, v) {
			return fmt.Errorf("clinical context: field %s is none of %s", f.name, strings.Join(Values(f.name), ", "))
		}
	}
	return nil
}

func validAge(years float64) bool { return years >= 0 && years <= MaxAgeYears } // NaN is not
