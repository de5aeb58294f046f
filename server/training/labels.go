package training

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"mome/dicomweb/dicom/uid"
	"mome/experts"
	"mome/experts/clinical"
	"mome/experts/volume"
	"mome/fusion/train"
)

// Split is the part of the data that a label was assigned to.
type Split string

// Splits. None leaves the choice to the command.
const (
	None       Split = ""
	Training   Split = "train"
	Validation Split = "validation"
	Test       Split = "test"
)

// Row is one label: of a lesion, or of a study's most conspicuous lesion.
type Row struct {
	Facts
	Line    int // in the table
	Study   string
	Patient string // digest of the Patient ID, where the study is named by it
	Label   int
	Split   Split
	Side    experts.Side // "" for either
	PlaceMM *volume.Vec  // patient space; nil where the table does not locate the lesion
	Lesion  int          // from 1, in the analysis' order of suspicion; 0 where the table does not say
}

// Limits of a label table.
const (
	maxTable  = 64 << 20 // bytes
	maxErrors = 20       // told at once
)

// columns are what a label table can hold, with how a cell is read. An error says what is expected and never repeats the
// cell: it may hold patient data.
var columns = map[string]func(*Row, string, train.Task) error{
	"study": func(r *Row, s string, _ train.Task) error {
		if r.Study = s; !uid.Valid(s) {
			return errors.New("is no UID")
		}
		return nil
	},
	"patient_id": func(r *Row, s string, _ train.Task) error { r.Patient = digest(s); return nil },
	"label": func(r *Row, s string, t train.Task) (err error) {
		var ok bool
		if r.Label, ok = classOf(t, s); !ok {
			return fmt.Errorf("is none of %s", describe(t))
		}
		return nil
	},
	"split": func(r *Row, s string, _ train.Task) error {
		switch strings.ToLower(s) {
		case "train", "training":
			r.Split = Training
		case "validation", "valid", "val":
			r.Split = Validation
		case "test":
			r.Split = Test
		default:
			return errors.New("is none of train, validation, test")
		}
		return nil
	},
	"side": func(r *Row, s string, _ train.Task) error {
		switch strings.ToLower(s) {
		case "l", "left":
			r.Side = experts.Left
		case "r", "right":
			r.Side = experts.Right
		default:
			return errors.New("is neither L nor R")
		}
		return nil
	},
	"x":      func(r *Row, s string, _ train.Task) error { return r.place(0, s) },
	"y":      func(r *Row, s string, _ train.Task) error { return r.place(1, s) },
	"z":      func(r *Row, s string, _ train.Task) error { return r.place(2, s) },
	"lesion": func(r *Row, s string, _ train.Task) (err error) { r.Lesion, err = whole(s, 1, 1000); return err },
	"age":    func(r *Row, s string, _ train.Task) error { return r.context("age_years", s) },
	"birads": func(r *Row, s string, _ train.Task) error {
		r.BIRADS = strings.ToLower(s)
		if !slices.Contains([]string{"0", "1", "2", "3", "4", "4a", "4b", "4c", "5", "6"}, r.BIRADS) {
			return errors.New("is no BI-RADS category (0 to 6, 4a, 4b, 4c)")
		}
		return nil
	},
	"site":           func(r *Row, s string, _ train.Task) error { return short(&r.Site, s) },
	"vendor":         func(r *Row, s string, _ train.Task) error { r.Vendor = s; return short(&r.Vendor, Vendor(s)) },
	"menopause":      func(r *Row, s string, _ train.Task) error { return r.context("menopause", s) },
	"family_history": func(r *Row, s string, _ train.Task) error { return r.context("family_history", s) },
	"indication":     func(r *Row, s string, _ train.Task) error { return r.context("indication", s) },
	"prior":          func(r *Row, s string, _ train.Task) error { return r.context("prior", s) },
}

// context sets a field of the clinical context, see clinical.FieldNames.
func (r *Row) context(field, s string) error {
	c, err := clinical.Parse(map[string]string{field: s})
	if err != nil {
		if values := clinical.Values(field); len(values) > 1 {
			return fmt.Errorf("is none of %s", strings.Join(values, ", "))
		}
		return fmt.Errorf("is no number of years up to %d", clinical.MaxAgeYears)
	}
	switch field {
	case "age_years":
		r.AgeYears = c.AgeYears
	case "menopause":
		r.Menopause = c.Menopause
	case "family_history":
		r.FamilyHistory = c.FamilyHistory
	case "indication":
		r.Indication = c.Indication
	case "prior":
		r.Prior = c.Prior
	}
	return nil
}

// place sets a coordinate. NaN marks those that are still missing.
func (r *Row) place(axis int, s string) error {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(math.Abs(v) < 1e4) {
		return errors.New("is no place in mm")
	}
	if r.PlaceMM == nil {
		r.PlaceMM = &volume.Vec{math.NaN(), math.NaN(), math.NaN()}
	}
	r.PlaceMM[axis] = v
	return nil
}

func whole(s string, low, high int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("is no whole number from %d to %d", low, high)
	}
	return n, nil
}

// short takes in what becomes the name of a row in a table of results.
func short(to *string, s string) error {
	if len(s) > 64 {
		return errors.New("is longer than 64 bytes")
	}
	*to = strings.Join(strings.Fields(s), " ")
	return nil
}

// ReadLabels reads a label table: CSV with a header line, separated by commas or semicolons. It needs the columns label
// and study (Study Instance UID) or patient_id; it may have split (train, validation, test), side (L, R), x, y, z (mm in
// patient coordinates, inside the lesion) or lesion (the candidate's number by suspicion, from 1), birads, site, vendor,
// age, and menopause, family_history, indication, prior with the values of clinical.Values. An empty cell is not known. The error lists what is wrong by line
// and column, without what the cells hold.
func ReadLabels(r io.Reader, task train.Task) ([]Row, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxTable+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read labels: %w", err)
	case len(data) > maxTable:
		return nil, fmt.Errorf("read labels: more than %d MiB", maxTable>>20)
	}
	t := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	t.Comma, t.FieldsPerRecord = separator(data), -1
	names, err := t.Read()
	if err != nil {
		return nil, fmt.Errorf("read labels: line 1: %w", withoutCells(err))
	}
	if err := checkNames(names); err != nil {
		return nil, fmt.Errorf("read labels: line 1: %w", err)
	}
	var rows []Row
	var wrong []error
	for len(wrong) < maxErrors {
		cells, err := t.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			wrong = append(wrong, withoutCells(err))
			break // quotes that do not close: what follows is no table
		}
		line, _ := t.FieldPos(0)
		row, errs := readRow(line, names, cells, task)
		rows, wrong = append(rows, row), append(wrong, errs...)
	}
	if len(wrong) == 0 {
		wrong = contradictions(rows)
	}
	if len(wrong) > maxErrors {
		wrong = append(wrong[:maxErrors:maxErrors], errors.New("and more"))
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("read labels:\n%w", errors.Join(wrong...))
	}
	if len(rows) == 0 {
		return nil, errors.New("read labels: the table has no line below its header")
	}
	return rows, nil
}

// separator is a semicolon where the header line has more of them than commas: spreadsheets write either.
func separator(data []byte) rune {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	if bytes.Count(line, []byte(";")) > bytes.Count(line, []byte(",")) {
		return ';'
	}
	return ','
}

// withoutCells keeps the line of a CSV error and the kind of it.
func withoutCells(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("line %d: %w", parse.Line, parse.Err)
	}
	return err
}

// checkNames normalises the header line and refuses columns that are unknown, for they may be misspelt.
func checkNames(names []string) error {
	for i, n := range names {
		names[i] = strings.ToLower(strings.TrimSpace(n))
		if columns[names[i]] == nil {
			return fmt.Errorf("column %d has a name that is none of %s", i+1, strings.Join(columnNames(), ", "))
		}
		if slices.Index(names, names[i]) < i {
			return fmt.Errorf("column %s stands there twice", names[i])
		}
	}
	switch has := func(n string) bool { return slices.Contains(names, n) }; {
	case !has("label"):
		return errors.New("there is no column label")
	case !has("study") && !has("patient_id"):
		return errors.New("there is neither a column study nor patient_id")
	}
	return nil
}

func columnNames() []string {
	var names []string
	for n := range columns {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func readRow(line int, names, cells []string, task train.Task) (Row, []error) {
	row := Row{Line: line, Label: NoLabel}
	if len(cells) != len(names) {
		return row, []error{fmt.Errorf("line %d: %d cells, the header has %d", line, len(cells), len(names))}
	}
	var wrong []error
	for i, cell := range cells {
		if cell = strings.TrimSpace(cell); cell == "" {
			continue
		}
		if err := columns[names[i]](&row, cell, task); err != nil {
			wrong = append(wrong, fmt.Errorf("line %d: %s %w", line, names[i], err))
		}
	}
	fail := func(text string) { wrong = append(wrong, fmt.Errorf("line %d: %s", line, text)) }
	if wrong != nil {
		return row, wrong
	}
	switch {
	case row.Label == NoLabel:
		fail("no label")
	case row.Study == "" && row.Patient == "":
		fail("neither study nor patient_id")
	case row.PlaceMM != nil && slices.ContainsFunc(row.PlaceMM[:], math.IsNaN):
		fail("x, y and z must stand together")
	case row.PlaceMM != nil && row.Lesion > 0:
		fail("x, y, z and lesion exclude each other")
	}
	return row, wrong
}

// contradictions are rows that cannot both be meant: two of one study for the same lesion, or one patient or study in two
// splits.
func contradictions(rows []Row) (wrong []error) {
	lesions, splits := map[string]Row{}, map[string]Row{}
	for _, r := range rows {
		name := r.Study
		if name == "" {
			name = r.Patient
		}
		place := ""
		if r.PlaceMM != nil {
			place = fmt.Sprintf("%.1f", *r.PlaceMM)
		}
		key := fmt.Sprintf("%s %s %s %d", name, r.Side, place, r.Lesion)
		if o, ok := lesions[key]; ok {
			wrong = append(wrong, fmt.Errorf("line %d: the same lesion as in line %d; tell them apart by side, x, y, z or lesion", r.Line, o.Line))
		}
		lesions[key] = r
		for _, who := range []string{name, r.Patient} {
			if o, ok := splits[who]; ok && who != "" && o.Split != r.Split {
				wrong = append(wrong, fmt.Errorf("line %d: another split than line %d of the same study or patient", r.Line, o.Line))
				break
			}
			splits[who] = r
		}
	}
	return wrong
}

// Vendor names a manufacturer by its first word, so that the ways in which one writes itself come together.
func Vendor(manufacturer string) string {
	m := strings.ToLower(manufacturer)
	for _, v := range []struct{ part, name string }{
		{"siemens", "Siemens"}, {"philips", "Philips"}, {"ge ", "GE"}, {"general electric", "GE"}, {"canon", "Canon"}, {"toshiba", "Canon"},
		{"hitachi", "Fujifilm"}, {"fujifilm", "Fujifilm"}, {"uih", "UIH"}, {"united imaging", "UIH"},
	} {
		if strings.HasPrefix(m+" ", v.part) {
			return v.name
		}
	}
	first, _ := bufio.NewReader(strings.NewReader(strings.TrimSpace(manufacturer) + " ")).ReadString(' ')
	return strings.TrimSpace(first)
}
