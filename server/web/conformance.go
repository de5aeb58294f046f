package web

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/pixel"
	"mome/dicomweb/query"
	"mome/server/conformance"
	"mome/server/wadl"
)

// Statement returns the conformance statement of a node with this configuration: what the tables of the code say, and
// the limits in force. It is written for who connects something to the node.
func Statement(cfg Config) conformance.Document {
	cfg.defaults()
	return conformance.Document{
		Title: strings.TrimSpace("DICOM conformance statement: MOME node " + cfg.Version),
		Sections: []conformance.Section{
			{Heading: "What this is", Text: []string{
				"This node stores DICOM objects, answers searches and gives objects back over DICOMweb (PS3.18), and reads breast MRI: its results are DICOM objects in the study that they are about. It speaks no DIMSE.",
				"This statement is written from the program's own tables. The program's tests check that each resource and parameter below is covered by the test that is named.",
				"Investigational software, not for clinical use.",
			}},
			resourceTable(), mediaTable(), parameterTable(), attributeTable(), classTable(cfg), syntaxTable(), limitTable(cfg), security(cfg), statusTable(),
		},
	}
}

// resourceTable lists the resources.
func resourceTable() conformance.Section {
	s := conformance.Section{
		Heading: "Resources", Columns: []string{"Method", "Resource", "PS3.18", "What", "Scope", "Tests"},
		Text: []string{"HEAD comes with every GET. OPTIONS of each resource below " + prefix + " answers with a Capabilities Description (PS3.18 section 8.9) as " + wadl.MediaType + " or JSON."},
	}
	for _, r := range Routes() {
		c := r.Coverage()
		s.Rows = append(s.Rows, []string{r.Method, r.Path, r.Section, r.Summary, cmp.Or(c.Scope.String(), "open"), strings.Join(c.Tests, ", ")})
	}
	return s
}

// perTransaction returns one route of each transaction, and each resource of the node's own.
func perTransaction() (routes []Route, of []string) {
	seen := map[string]bool{}
	for _, r := range Routes() {
		if name := cmp.Or(r.Section, r.Method+" "+r.Path); !seen[name] {
			seen[name] = true
			routes, of = append(routes, r), append(of, name)
		}
	}
	return routes, of
}

// mediaTable lists what is taken and answered.
func mediaTable() conformance.Section {
	s := conformance.Section{Heading: "Media types", Columns: []string{"Of", "Takes", "Answers, the default first"}}
	routes, of := perTransaction()
	for i, r := range routes {
		if c := r.Coverage(); len(c.Takes)+len(c.Answers) > 0 {
			s.Rows = append(s.Rows, []string{of[i], strings.Join(c.Takes, ", "), strings.Join(c.Answers, ", ")})
		}
	}
	return s
}

// parameterTable lists the parameters, each transaction once.
func parameterTable() conformance.Section {
	s := conformance.Section{Heading: "Parameters", Columns: []string{"Of", "Parameter", "In", "PS3.18", "What", "Test"}}
	routes, of := perTransaction()
	for i, r := range routes {
		for _, p := range r.Coverage().Parameters {
			s.Rows = append(s.Rows, []string{of[i], p.Name, p.In, p.Section, p.Summary, p.Test})
		}
	}
	return s
}

// attributeTable lists what searches match and answer.
func attributeTable() conformance.Section {
	s := conformance.Section{
		Heading: "Attributes of searches", Columns: []string{"Attribute", "Tag", "Level", "Required key", "In the answer"},
		Text: []string{"Any other attribute that is stored can be a matching key or an includefield too, also inside sequences; it is read from the instances."},
	}
	answers := map[query.Presence]string{query.OnRequest: "on request", query.IfKnown: "where it has a value", query.Always: "always"}
	for _, a := range query.Attributes() {
		key := ""
		if a.Key {
			key = "yes"
		}
		s.Rows = append(s.Rows, []string{a.Tag.Keyword(), "(" + a.Tag.Hex()[:4] + "," + a.Tag.Hex()[4:] + ")", a.Level.String(), key, answers[a.Answer]})
	}
	return s
}

// classTable lists the SOP Classes.
func classTable(cfg Config) conformance.Section {
	s := conformance.Section{
		Heading: "SOP Classes", Columns: []string{"SOP Class", "UID", "Read", "Made"},
		Text: []string{"Objects of every SOP Class of storage are stored, searched and given back, private ones too; classes of other services are refused (0122H). Those below are read by the analysis, or made by it."},
	}
	var all []string
	for _, list := range [][]string{cfg.Reads, cfg.Makes} {
		for _, u := range list {
			if !slices.Contains(all, u) {
				all = append(all, u)
			}
		}
	}
	mark := func(list []string, u string) string {
		if slices.Contains(list, u) {
			return "yes"
		}
		return ""
	}
	for _, u := range all {
		s.Rows = append(s.Rows, []string{nameOf(u), u, mark(cfg.Reads, u), mark(cfg.Makes, u)})
	}
	return s
}

func nameOf(u string) string {
	if e, ok := uid.Lookup(u); ok {
		return e.Name
	}
	return ""
}

// transferSyntaxes are those of PS3.6 table A-1 for objects that are stored as files, the retired ones that still come included.
func transferSyntaxes() []string {
	list := []string{"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5"}
	for _, n := range []int{50, 51, 57, 70, 80, 81, 90, 91, 92, 93, 100, 101, 102, 103, 104, 105, 106, 107, 108, 110, 111, 112, 201, 202, 203} {
		list = append(list, "1.2.840.10008.1.2.4."+strconv.Itoa(n))
	}
	return list
}

// syntaxTable lists the transfer syntaxes, with what this build decodes: it asks the decoders.
func syntaxTable() conformance.Section {
	s := conformance.Section{
		Heading: "Transfer syntaxes", Columns: []string{"Transfer syntax", "UID", "Stored and given as it is", "Decoded", "Made on request"},
		Text: []string{"transfer-syntax=* gives an object as it was received, byte for byte. Without it an object is given in explicit VR little endian, where its pixels can be decoded."},
	}
	small := pixel.Layout{Rows: 1, Columns: 1, SamplesPerPixel: 1, BitsAllocated: 8, BitsStored: 8, HighBit: 7}
	yes := map[bool]string{true: "yes"}
	for _, u := range transferSyntaxes() {
		_, err := pixel.Native(small, u, []byte{0, 0})
		decoded := dicomweb.KindOf(err) != dicomweb.UnsupportedMedia
		made := u == uid.ExplicitVRLittleEndian || slices.Contains(pixel.EncodedSyntaxes(), u)
		s.Rows = append(s.Rows, []string{nameOf(u), u, "yes", yes[decoded], yes[made]})
	}
	return s
}

// limitTable lists the limits in force.
func limitTable(cfg Config) conformance.Section {
	s := conformance.Section{Heading: "Limits", Columns: []string{"Limit", "Value", "Beyond it"}}
	add := func(name, value, beyond string) { s.Rows = append(s.Rows, []string{name, value, beyond}) }
	add("body of a request", fmt.Sprintf("%d bytes", cfg.MaxRequestBytes), "413")
	if cfg.MaxInstanceBytes > 0 {
		add("one instance", fmt.Sprintf("%d bytes", cfg.MaxInstanceBytes), "413, or failure reason A700H of that instance")
	}
	add("header of a request", fmt.Sprintf("%d bytes", maxHeader), "431")
	for _, text := range cfg.Limiter.Limits() {
		add("of one client", text, "429 with Retry-After")
	}
	add("a request or answer that stands still", cfg.Stall.String(), "the connection is closed")
	return s
}

// security says who is let in.
func security(cfg Config) conformance.Section {
	on := func(yes bool, text, otherwise string) string {
		if yes {
			return text
		}
		return otherwise
	}
	text := []string{
		on(cfg.Access != nil, "Access control is on: each request needs credentials with the scope that the resources' table names. "+cfg.Access.String(), "Access control is off: everyone who reaches the node may do everything."),
		on(cfg.TLS != nil, "The node speaks TLS 1.2 and 1.3, with HTTP/1.1 and HTTP/2.", "The node speaks plain HTTP/1.1; TLS is a proxy's business, or is switched on by --tls-cert."),
		on(cfg.Audit != nil, "Each access is written to an audit trail in the terms of PS3.15 section A.5, with Study Instance UIDs and no other data of patients.", "No audit trail is written."),
		on(cfg.AllowDelete, "Studies, series and instances can be deleted.", "Nothing can be deleted over the network."),
		"Pages of these origins may read the answers (CORS): " + strings.Join(cfg.Origins, ", ") + ".",
	}
	return conformance.Section{Heading: "Security", Text: text}
}

// statusTable lists what the statuses mean at this node.
func statusTable() conformance.Section {
	s := conformance.Section{
		Heading: "Statuses", Columns: []string{"Status", "When"},
		Text: []string{"The body of an error is " + mediatype.ProblemJSON + " (RFC 9457) with a sentence in detail, or plain text for who accepts text."},
	}
	for _, row := range []struct {
		status int
		when   string
	}{
		{200, "done"}, {202, "some instances of a request were stored, some were not or with a warning: the answer tells which"}, {204, "nothing matches; deleted"},
		{206, "a part, by Range, or what a transfer syntax could be had of"}, {304, "unchanged since the ETag"},
		{400, "the request cannot be understood"}, {401, "credentials are missing or not known"}, {403, "the scope is missing, or a setting forbids it"},
		{404, "there is none"}, {405, "not for this resource; Allow tells what is"}, {406, "none of the accepted media types can be had; detail tells which can"},
		{409, "none of a request's instances could be stored; another content has the UID"}, {410, "was there once"}, {413, "too large"}, {415, "this media type is not taken"},
		{429, "the client asks too much; Retry-After tells when it may again"}, {500, "the node failed"}, {503, "try again later: no space, a rebuild, a provider that does not answer"},
	} {
		s.Rows = append(s.Rows, []string{fmt.Sprintf("%d %s", row.status, http.StatusText(row.status)), row.when})
	}
	return s
}

// conformance answers GET /dicom-web/conformance as HTML or Markdown.
func (s *services) conformance(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	offers := []mediatype.Offer{{Media: typeHTML}, {Media: "text/markdown"}}
	n, ok := mediatype.Choose(mediatype.Accept(r), offers)
	if !ok {
		return dicomweb.Errorf(dicomweb.NotAcceptable, "the conformance statement can be had as text/html or text/markdown")
	}
	document := Statement(s.cfg)
	var b bytes.Buffer
	write := document.WriteHTML
	if n == 1 {
		write = document.WriteMarkdown
	}
	if err := write(&b); err != nil {
		return err
	}
	w.Header().Set("Content-Type", offers[n].Media+"; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	_, err := w.Write(b.Bytes())
	return err
}
