package clinical_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"mome/experts"
	"mome/experts/clinical"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name  string
		cells map[string]string
		want  clinical.Context
		err   string // "" is none
	}{
		{"nothing", nil, clinical.Context{}, ""},
		{"unknown", map[string]string{"age_years": " Unknown", "menopause": "unknown", "prior": ""}, clinical.Context{}, ""},
		{"all", map[string]string{
			"age_years": "47", "menopause": "Perimenopausal", "family_history": "first-degree ", "indication": "staging",
			"prior": "CANCER", "patient": "a column of the table's own",
		}, clinical.Context{
			AgeYears: experts.Known(47), Menopause: clinical.Perimenopausal, FamilyHistory: clinical.FirstDegree,
			Indication: clinical.Staging, Prior: clinical.Cancer,
		}, ""},
		{"half a year", map[string]string{"age_years": "47.5"}, clinical.Context{AgeYears: experts.Known(47.5)}, ""},
		{"born", map[string]string{"age_years": "0"}, clinical.Context{AgeYears: experts.Known(0)}, ""},
		{"too old", map[string]string{"age_years": "123"}, clinical.Context{}, "age_years"},
		{"unborn", map[string]string{"age_years": "-1"}, clinical.Context{}, "age_years"},
		{"not a number", map[string]string{"age_years": "NaN"}, clinical.Context{}, "age_years"},
		{"in words", map[string]string{"age_years": "fifty"}, clinical.Context{}, "age_years"},
		{"not a status", map[string]string{"menopause": "late"}, clinical.Context{}, "menopause is none of premenopausal, perimenopausal, postmenopausal, unknown"},
		{"another field's", map[string]string{"family_history": "screening"}, clinical.Context{}, "family_history"},
		{"not an indication", map[string]string{"indication": "curiosity"}, clinical.Context{}, "indication"},
		{"not a prior", map[string]string{"prior": "lump"}, clinical.Context{}, "prior is none of none, benign"},
	} {
		got, err := clinical.Parse(c.cells)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want one with %q", c.name, err, c.err)
			}
			for _, cell := range c.cells {
				if err != nil && strings.Contains(err.Error(), `"`+cell+`"`) {
					t.Errorf("%s: error %v shows the cell", c.name, err)
				}
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
}

func TestAge(t *testing.T) {
	unknown := math.NaN()
	for _, c := range []struct {
		name                string
		age, birth, studied string
		want                float64
	}{
		{"nothing", "", "", "", unknown},
		{"years", "045Y", "", "", 45},
		{"padded", "045Y ", "", "", 45},
		{"months", "030M", "", "", 2},
		{"weeks", "104W", "", "", 1},
		{"days", "366D", "", "", 1},
		{"age before dates", "045Y", "19500101", "20200101", 45},
		{"day before the birthday", "", "19700615", "20200614", 49},
		{"birthday", "", "19700615", "20200615", 50},
		{"leap day", "", "20000229", "20210228", 20},
		{"malformed age, dates", "45", "19700615", "20200615", 50},
		{"no unit", "0450", "", "", unknown},
		{"small letter", "045y", "", "", unknown},
		{"sign", "-45Y", "", "", unknown},
		{"too old", "999Y", "", "", unknown},
		{"no study date", "", "19700615", "", unknown},
		{"born later", "", "20200616", "20200615", unknown},
		{"no such day", "", "19700631", "20200615", unknown},
		{"dashes", "", "1970-06-15", "2020-06-15", unknown},
		{"born too long ago", "", "18000101", "20200101", unknown},
	} {
		got := clinical.Age(c.age, c.birth, c.studied)
		if got.Known == math.IsNaN(c.want) || got.Known && got.Value != c.want {
			t.Errorf("%s: age %+v of %q, %q, %q, want %g", c.name, got, c.age, c.birth, c.studied, c.want)
		}
	}
}

func TestEncode(t *testing.T) {
	if rows, columns := clinical.Size(); rows != 5 || columns != 3+4+5+6+5 {
		t.Fatalf("size %d x %d, want 5 x 23", rows, columns)
	}
	// Columns of each field's first value: 0, 3, 7, 12, 18.
	for _, c := range []struct {
		name string
		in   clinical.Context
		want map[[2]int]float32
	}{
		{"nothing", clinical.Context{}, map[[2]int]float32{{0, 2}: 1, {1, 6}: 1, {2, 11}: 1, {3, 17}: 1, {4, 22}: 1}},
		{"first values", clinical.Context{
			AgeYears: experts.Known(60), Menopause: clinical.Premenopausal, FamilyHistory: clinical.NoRelatives,
			Indication: clinical.Screening, Prior: clinical.NoPrior,
		}, map[[2]int]float32{{0, 0}: 1, {0, 1}: 0.4, {1, 3}: 1, {2, 7}: 1, {3, 12}: 1, {4, 18}: 1}},
		{"last values", clinical.Context{
			AgeYears: experts.Known(25), Menopause: clinical.Postmenopausal, FamilyHistory: clinical.Mutation,
			Indication: clinical.FollowUp, Prior: clinical.Cancer,
		}, map[[2]int]float32{{0, 0}: 1, {0, 1}: -1, {1, 5}: 1, {2, 10}: 1, {3, 16}: 1, {4, 21}: 1}},
	} {
		got, err := c.in.Encode()
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if at := [2]int{i / 23, i % 23}; v != c.want[at] {
				t.Errorf("%s: row %d, column %d is %g, want %g", c.name, at[0], at[1], v, c.want[at])
			}
		}
	}
	for name, c := range map[string]clinical.Context{
		"prior":     {Prior: "lump"},
		"age_years": {AgeYears: experts.Known(math.Inf(1))},
	} {
		if _, err := c.Encode(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: error %v, want one that names %s", c, err, name)
		}
	}
}

// Every value that Values names is read, and has an encoding of its own.
func TestEveryValueIsRead(t *testing.T) {
	for _, name := range clinical.FieldNames() {
		seen := map[string]string{}
		for _, value := range clinical.Values(name) {
			c, err := clinical.Parse(map[string]string{name: value})
			if err != nil {
				t.Errorf("%s = %s: %v", name, value, err)
			}
			code, err := c.Encode()
			if err != nil {
				t.Errorf("%s = %s: %v", name, value, err)
			}
			text := fmt.Sprint(code)
			if other, ok := seen[text]; ok {
				t.Errorf("%s: %s and %s have one encoding", name, other, value)
			}
			seen[text] = value
		}
		if !slices.Contains(clinical.Values(name), clinical.Unknown) {
			t.Errorf("%s cannot be unknown", name)
		}
	}
	if clinical.Values("shoe size") != nil {
		t.Error("values of a field that there is not")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("47", "premenopausal", "none", "screening", "benign", "045Y", "19700615", "20200615")
	f.Add("1e309", "unknown", "", "x", "\x00", "0x1Y", "00000000", "99999999")
	f.Fuzz(func(t *testing.T, age, menopause, family, indication, prior, patientAge, birth, studied string) {
		c, err := clinical.Parse(map[string]string{
			"age_years": age, "menopause": menopause, "family_history": family, "indication": indication, "prior": prior,
		})
		if err == nil {
			if _, err := c.Encode(); err != nil {
				t.Errorf("%+v was read and cannot be encoded: %v", c, err)
			}
		}
		if q := clinical.Age(patientAge, birth, studied); q.Known && !(q.Value >= 0 && q.Value <= clinical.MaxAgeYears) {
			t.Errorf("age %g of %q, %q, %q", q.Value, patientAge, birth, studied)
		}
	})
}
