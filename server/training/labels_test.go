package training

import (
	"strings"
	"testing"

	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/volume"
	"mome/fusion/train"
)

func TestReadLabels(t *testing.T) {
	for _, c := range []struct {
		name, table string
		task        train.Task
		want        []Row
	}{
		{"least", "study,label\n1.2.3,malignant\n1.2.4,0\n", train.Malignancy(),
			[]Row{{Line: 2, Study: "1.2.3", Label: 1}, {Line: 3, Study: "1.2.4", Label: 0}}},
		{"semicolons, mark of byte order, order of columns, capitals", "\xef\xbb\xbfLabel; Study ;SIDE\nMalignant;1.2.3;Left\n", train.Malignancy(),
			[]Row{{Line: 2, Study: "1.2.3", Label: 1, Side: experts.Left}}},
		{"everything", "study,label,split,side,x,y,z,birads,site,vendor,age,menopause,family_history,indication,prior\n" +
			"1.2.3,1,test,R,-40.5,2,1e1,4A,north,SIEMENS Healthineers,51,Postmenopausal,first-degree,screening,unknown\n", train.PCR(),
			[]Row{{Line: 2, Study: "1.2.3", Label: 1, Split: Test, Side: experts.Right, PlaceMM: &volume.Vec{-40.5, 2, 10},
				Facts: Facts{BIRADS: "4a", Site: "north", Vendor: "Siemens", Context: clinical.Context{
					AgeYears: experts.Known(51), Menopause: clinical.Postmenopausal, FamilyHistory: clinical.FirstDegree, Indication: clinical.Screening}}}}},
		{"several lesions of a study", "study,label,lesion,split\n1.2.3,benign,2,validation\n1.2.3,malignant,1,val\n", train.Malignancy(),
			[]Row{{Line: 2, Study: "1.2.3", Lesion: 2, Split: Validation}, {Line: 3, Study: "1.2.3", Label: 1, Lesion: 1, Split: Validation}}},
		{"quoted line break counts as a line", "study,label,site\n1.2.3,1,\"a\nb\"\n1.2.4,1,c\n", train.Malignancy(),
			[]Row{{Line: 2, Study: "1.2.3", Label: 1, Facts: Facts{Site: "a b"}}, {Line: 4, Study: "1.2.4", Label: 1, Facts: Facts{Site: "c"}}}},
		{"four classes", "study,label\n1.2.3,HER2+\n1.2.4,Luminal B\n", train.Subtype(),
			[]Row{{Line: 2, Study: "1.2.3", Label: 2}, {Line: 3, Study: "1.2.4", Label: 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ReadLabels(strings.NewReader(c.table), c.task)
			if err != nil {
				t.Fatalf("%q: %v", c.table, err)
			}
			if len(got) != len(c.want) {
				t.Fatalf("%q: got %+v, want %+v", c.table, got, c.want)
			}
			for i, w := range c.want {
				g := got[i]
				if (g.PlaceMM == nil) != (w.PlaceMM == nil) || g.PlaceMM != nil && *g.PlaceMM != *w.PlaceMM {
					t.Errorf("%q: row %d lies at %v, want %v", c.table, i, g.PlaceMM, w.PlaceMM)
				}
				if g.PlaceMM, w.PlaceMM = nil, nil; g != w {
					t.Errorf("%q: row %d is %+v, want %+v", c.table, i, g, w)
				}
			}
		})
	}
}

func TestReadLabelsRefuses(t *testing.T) {
	for _, c := range []struct {
		name, table string
		want        []string
	}{
		{"nothing", "", []string{"line 1"}},
		{"no label column", "study,split\n1.2.3,test\n", []string{"no column label"}},
		{"no study column", "label\n1\n", []string{"neither a column study nor patient_id"}},
		{"misspelt column", "study,label,brads\n1.2.3,1,4\n", []string{"column 3", "birads"}},
		{"column twice", "study,label,label\n1.2.3,1,1\n", []string{"column label stands there twice"}},
		{"header alone", "study,label\n", []string{"no line below"}},
		{"all lines are told", "study,label\nDoe^Jane,1\n1.2.3,sick\n1.2.4,\n", []string{"line 2: study is no UID", "line 3: label is none of benign (0), malignant (1)", "line 4: no label"}},
		{"cells are missing", "study,label,side\n1.2.3,1\n", []string{"line 2: 2 cells, the header has 3"}},
		{"half a place", "study,label,x,y,z\n1.2.3,1,4,,2\n", []string{"line 2: x, y and z must stand together"}},
		{"place and number", "study,label,x,y,z,lesion\n1.2.3,1,4,1,2,1\n", []string{"line 2: x, y, z and lesion exclude each other"}},
		{"no number", "study,label,age,x\n1.2.3,1,old,NaN\n", []string{"line 2: age is no number of years up to 122", "line 2: x is no place in mm"}},
		{"no value of the clinical context", "study,label,prior\n1.2.3,1,sick\n", []string{"line 2: prior is none of none, benign, high-risk, cancer, unknown"}},
		{"same lesion twice", "study,label\n1.2.3,1\n1.2.3,0\n", []string{"line 3: the same lesion as in line 2"}},
		{"a study in two splits", "study,label,side,split\n1.2.3,1,L,train\n1.2.3,0,R,test\n", []string{"line 3: another split than line 2"}},
		{"a patient in two splits", "study,patient_id,label,split\n1.2.3,A,1,train\n1.2.4,A,0,test\n", []string{"line 3: another split than line 2"}},
		{"open quote", "study,label\n1.2.3,\"1\n", []string{"line"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadLabels(strings.NewReader(c.table), train.Malignancy())
			if err == nil {
				t.Fatalf("%q was taken", c.table)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q: error %q says nothing of %q", c.table, err, part)
				}
			}
			for _, cell := range []string{"Doe", "sick", "old"} {
				if strings.Contains(err.Error(), cell) {
					t.Errorf("%q: error %q repeats the cell %q", c.table, err, cell)
				}
			}
		})
	}
}

func FuzzReadLabels(f *testing.F) {
	f.Add([]byte("study,label\n1.2.3,1\n"))
	f.Add([]byte("\xef\xbb\xbfstudy;label;x;y;z;side;age\n1.2.3;malignant;1;2;3;L;40\n\n1.2.4;0;;;;R;\n"))
	f.Add([]byte("study,label,indication\n1.2.3,1,\"a\n\"\"b\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := ReadLabels(strings.NewReader(string(data)), train.Malignancy())
		if err != nil {
			return
		}
		for _, r := range rows {
			if r.Line < 2 || r.Label < 0 || r.Label > 1 || r.Study == "" && r.Patient == "" {
				t.Errorf("%q: row %+v", data, r)
			}
		}
	})
}

func TestVendor(t *testing.T) {
	for manufacturer, want := range map[string]string{
		"SIEMENS": "Siemens", "Siemens Healthineers": "Siemens", "GE MEDICAL SYSTEMS": "GE", "GENERAL ELECTRIC": "GE", "Philips": "Philips",
		"Philips Medical Systems": "Philips", "Canon Medical": "Canon", "TOSHIBA": "Canon", "Acme Imaging": "Acme", "": "", "Genesis": "Genesis",
	} {
		if got := Vendor(manufacturer); got != want {
			t.Errorf("%q: got %q, want %q", manufacturer, got, want)
		}
	}
}
