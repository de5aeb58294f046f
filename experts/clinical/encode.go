package clinical

import "slices"

// The age is encoded as (years - ageMiddle) / ageSpan: -1 to 1 from 25 to 75 years, which is whom breast MRI is made of.
const (
	ageMiddle = 50
	ageSpan   = 25
)

// ageColumns are those of the age: known, scaled, unknown.
const ageColumns = 3

// Size is the number of rows, one per field, and columns of the encoding.
func Size() (rows, columns int) {
	for _, f := range fields() {
		columns += f.width()
	}
	return len(fields()), columns
}

func (f field) width() int {
	if f.values == nil {
		return ageColumns
	}
	return len(f.values) + 1 // and unknown
}

// Encode is the context as a matrix [field, column], row-major, of the numbers of rows and columns that Size says. Every
// field has columns of its own, in the order of the fields; in its row all columns of others are 0:
//
//	age_years       1, (years - 50) / 25, 0, or 0, 0, 1 where it is unknown
//	any other       1 in the column of its value, of which the last is unknown
//
// The error is Check's.
func (c Context) Encode() ([]float32, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	rows, columns := Size()
	out := make([]float32, rows*columns)
	from := 0
	for i, f := range fields() {
		own := out[i*columns+from:][:f.width()]
		from += f.width()
		switch at := 0; {
		case f.values != nil:
			if at = slices.Index(f.values, f.get(&c)); at < 0 {
				at = len(own) - 1
			}
			own[at] = 1
		case c.AgeYears.Known:
			own[0], own[1] = 1, float32((c.AgeYears.Value-ageMiddle)/ageSpan)
		default:
			own[ageColumns-1] = 1
		}
	}
	return out, nil
}
