package render

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/iod/code"
	"mome/dicomweb/sr"
)

// report renders a Structured Report or Key Object Selection as HTML, text, or the Native DICOM Model in XML (PS3.19 A.1).
func (s *Service) report(ctx context.Context, c chosen, base string) ([]byte, error) {
	o, err := s.open(ctx, c.Instance)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	if c.as == mediaXML {
		return o.file.AppendXML(nil, dicom.JSONOptions{})
	}
	return Report(o.file.Dataset, c.as == mediaHTML, base)
}

// Report returns the content of a Structured Report (PS3.3 C.17.3) as text in UTF-8, or as an HTML page of its own: headings
// are containers, below each stands what it contains, below each item what qualifies it. All of the tree is there, and
// nothing in it is taken for markup. base is the URL of the DICOMweb service, for links to the instances that the report
// points to. An object without a content tree is an error of kind NotAcceptable.
func Report(d *dicom.Dataset, html bool, base string) ([]byte, error) {
	root, err := sr.Parse(d)
	if err != nil {
		return nil, &dicomweb.Error{Kind: dicomweb.NotAcceptable, Text: "the report has no content tree", Err: err}
	}
	p := page{Title: meaning(root.Name), About: about(d), Root: entryOf(root, 0, base)}
	if p.Title == "" {
		p.Title = "Structured Report"
	}
	p.Root.Name = ""
	var buf bytes.Buffer
	if html {
		t, err := template.New("report").Parse(layout)
		if err == nil {
			err = t.Execute(&buf, p)
		}
		return buf.Bytes(), err
	}
	fmt.Fprintf(&buf, "%s\n\n", p.Title)
	for _, a := range p.About {
		fmt.Fprintf(&buf, "%s: %s\n", a.Name, a.Value)
	}
	buf.WriteByte('\n')
	p.Root.text(&buf, 0)
	return buf.Bytes(), nil
}

// page is what the layout shows.
type page struct {
	Title string
	About []entry
	Root  entry
}

// entry is a content item in words.
type entry struct {
	Name, Value string
	Link        string // to the instance that Value names
	Section     bool   // a container
	Folded      bool   // many of a kind, shown when asked for
	Level       int    // of its heading, 2 to 6
	Items       []entry
}

// about returns what a reader has to know of the document first.
func about(d *dicom.Dataset) (out []entry) {
	name := dicom.ParsePN(d.String(tag.PatientName))
	patient := strings.TrimSpace(strings.Join(strings.Fields(strings.ReplaceAll(name.Alphabetic, "^", " ")), " ") + " " + name.Ideographic)
	for _, e := range []entry{
		{Name: "Patient", Value: patient},
		{Name: "Patient ID", Value: d.String(tag.PatientID)},
		{Name: "Study date", Value: date(d.String(tag.StudyDate))},
		{Name: "Content date", Value: date(d.String(tag.ContentDate))},
		{Name: "Completion", Value: strings.ToLower(d.String(tag.CompletionFlag))},
		{Name: "Verification", Value: strings.ToLower(d.String(tag.VerificationFlag))},
		{Name: "Manufacturer", Value: d.String(tag.Manufacturer)},
	} {
		if e.Value != "" {
			out = append(out, e)
		}
	}
	return out
}

// date writes a DA as ISO 8601 does.
func date(s string) string {
	if t, ok := dicom.ParseDA(s); ok {
		return t.Format("2006-01-02")
	}
	return s
}

func entryOf(i *sr.Item, depth int, base string) entry {
	e := entry{Name: meaning(i.Name), Value: valueOf(i), Link: linkTo(i, base), Section: i.Type == sr.Container && i.Target == nil, Level: min(depth+1, 6)}
	for _, child := range i.Items {
		e.Items = append(e.Items, entryOf(child, depth+1, base))
	}
	e.Items = fold(e.Items)
	return e
}

// fold puts rows of references without a name, such as the hundreds of images that were read, into one entry each.
func fold(items []entry) (out []entry) {
	const few = 4
	bare := func(e entry) bool { return e.Name == "" && len(e.Items) == 0 && !e.Section }
	for len(items) > 0 {
		n := slices.IndexFunc(items, func(e entry) bool { return !bare(e) })
		if n < 0 {
			n = len(items)
		}
		if n <= few {
			n = min(max(n, 1), len(items))
			out = append(out, items[:n]...)
		} else {
			out = append(out, entry{Value: fmt.Sprintf("%d references", n), Folded: true, Items: items[:n]})
		}
		items = items[n:]
	}
	return out
}

// meaning is what people read of a code.
func meaning(c code.Code) string {
	if c.Meaning != "" {
		return c.Meaning
	}
	return c.Value
}

// valueOf returns the value of an item in words.
func valueOf(i *sr.Item) string {
	if i.Target != nil {
		return "see item " + strings.Trim(strings.ReplaceAll(fmt.Sprint(i.Target), " ", "."), "[]")
	}
	switch i.Type {
	case sr.Container:
		return ""
	case sr.Code:
		return meaning(i.Code)
	case sr.Num:
		if !i.Value.Known {
			return strings.TrimSpace("no value: " + meaning(i.Value.Modifier))
		}
		return strings.TrimSpace(dicom.FormatDS(i.Value.Number) + " " + unit(i.Value.Unit) + " " + meaning(i.Value.Modifier))
	case sr.Image, sr.Composite:
		return reference(i.Ref)
	case sr.SCoord, sr.SCoord3D:
		return graphic(i.Coord, i.Type == sr.SCoord3D)
	case sr.PName:
		return strings.Join(strings.Fields(strings.ReplaceAll(i.Text, "^", " ")), " ")
	case sr.Date:
		return date(i.Text)
	}
	return i.Text
}

// unit writes a UCUM unit: its code says it shortest, but for no unit and annotations, whose meaning does.
func unit(c code.Code) string {
	if c.Value == "1" || strings.HasPrefix(c.Value, "{") {
		return strings.TrimPrefix(meaning(c), "no units")
	}
	return c.Value
}

func reference(r sr.Ref) string {
	s := r.SOPInstanceUID
	if r.SOPClassUID != "" {
		s = strings.TrimSuffix(nameOf(r.SOPClassUID), " Storage") + " " + s
	}
	for _, part := range []struct {
		name string
		list []int
	}{{"frame", r.Frames}, {"segment", r.Segments}} {
		if len(part.list) > 0 {
			s += ", " + part.name + " " + strings.Trim(strings.ReplaceAll(fmt.Sprint(part.list), " ", ", "), "[]")
		}
	}
	return s
}

// linkTo returns the URL of the picture of what an item refers to, "" where the evidence does not tell its study and series.
func linkTo(i *sr.Item, base string) string {
	r := i.Ref
	at := dicomweb.Ref{Study: r.StudyUID, Series: r.SeriesUID, Instance: r.SOPInstanceUID}
	if at.Study == "" || at.Series == "" || at.Instance == "" || at.Validate() != nil {
		return ""
	}
	if len(r.Frames) == 1 && r.Frames[0] > 0 {
		return fmt.Sprintf("%s/%s/frames/%d/rendered", base, at.Path(), r.Frames[0])
	}
	return base + "/" + at.Path() + "/rendered"
}

// graphic writes the first points of a graphic, mm in space or pixels on an image.
func graphic(c sr.Coord, space bool) string {
	size, unit := 2, "pixels"
	if space {
		size, unit = 3, "mm"
	}
	const shown = 4
	var b strings.Builder
	b.WriteString(strings.ToLower(c.Graphic))
	for k := 0; k < len(c.Points)/size && k < shown; k++ {
		b.WriteString(" " + strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Points[k*size:(k+1)*size]), " ", ", "), "[]") + ";")
	}
	if n := len(c.Points) / size; n > shown {
		fmt.Fprintf(&b, " and %d more points", n-shown)
	}
	return strings.TrimSuffix(b.String(), ";") + " (" + unit + ")"
}

// text writes an entry and what is below it, two spaces per level.
func (e entry) text(b *bytes.Buffer, depth int) {
	line := strings.Trim(e.Name+": "+e.Value, ": ")
	if line != "" {
		indent := strings.Repeat("  ", depth)
		fmt.Fprintln(b, indent+strings.Join(strings.Split(strings.ReplaceAll(line, "\r\n", "\n"), "\n"), "\n"+indent+"  "))
		depth++
	}
	for _, child := range e.Items {
		child.text(b, depth)
	}
}
