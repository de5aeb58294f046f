package web

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"mome/dicomweb"
	"mome/dicomweb/mediatype"
)

// wadlType is the media type of a Capabilities Description, PS3.18 annex H.
const wadlType = "application/vnd.sun.wadl+xml"

// application is a Capabilities Description: a WADL document, in XML or, with the same members, in JSON.
type application struct {
	XMLName   xml.Name  `xml:"http://wadl.dev.java.net/2009/02 application" json:"-"`
	Doc       doc       `xml:"doc" json:"doc"`
	Resources resources `xml:"resources" json:"resources"`
}

type doc struct {
	Title string `xml:"title,attr,omitempty" json:"title,omitempty"`
	Text  string `xml:",chardata" json:"text,omitempty"`
}

type resources struct {
	Base string      `xml:"base,attr" json:"base"`
	List []*resource `xml:"resource" json:"resource"`
}

type resource struct {
	Path    string      `xml:"path,attr" json:"path"`
	Params  []param     `xml:"param" json:"param,omitempty"`
	Methods []method    `xml:"method" json:"method,omitempty"`
	List    []*resource `xml:"resource" json:"resource,omitempty"`
}

type param struct {
	Name    string   `xml:"name,attr" json:"name"`
	Style   string   `xml:"style,attr" json:"style"` // template, query or header
	Default string   `xml:"default,attr,omitempty" json:"default,omitempty"`
	Doc     *doc     `xml:"doc" json:"doc,omitempty"`
	Options []option `xml:"option" json:"option,omitempty"`
}

type option struct {
	Value string `xml:"value,attr" json:"value"`
}

type method struct {
	Name      string     `xml:"name,attr" json:"name"`
	ID        string     `xml:"id,attr" json:"id"`
	Doc       doc        `xml:"doc" json:"doc"`
	Request   *exchange  `xml:"request" json:"request,omitempty"`
	Responses []exchange `xml:"response" json:"response,omitempty"`
}

type exchange struct {
	Status          string           `xml:"status,attr,omitempty" json:"status,omitempty"`
	Params          []param          `xml:"param" json:"param,omitempty"`
	Representations []representation `xml:"representation" json:"representation,omitempty"`
}

type representation struct {
	MediaType string `xml:"mediaType,attr" json:"mediaType"`
}

// describe returns the description of all resources below the root of the DICOMweb services at base.
func describe(base, version string) *application {
	a := &application{Doc: doc{Title: "MOME node " + version, Text: "Services of DICOM PS3.18, with what the node has beside them"}, Resources: resources{Base: base}}
	for _, r := range Routes() {
		path, ok := strings.CutPrefix(r.Path, prefix+"/")
		if !ok {
			continue
		}
		at := &a.Resources.List
		var to *resource
		for segment := range strings.SplitSeq(path, "/") {
			to = child(at, segment)
			at = &to.List
		}
		to.Methods = append(to.Methods, describeMethod(r))
	}
	return a
}

// child returns the resource with this segment of the path, a new one where there is none yet.
func child(list *[]*resource, segment string) *resource {
	for _, r := range *list {
		if r.Path == segment {
			return r
		}
	}
	r := &resource{Path: segment}
	if name, ok := strings.CutPrefix(segment, "{"); ok {
		r.Params = []param{{Name: strings.TrimSuffix(strings.TrimSuffix(name, "}"), "..."), Style: "template"}}
	}
	*list = append(*list, r)
	return r
}

func describeMethod(r Route) method {
	c := r.Coverage()
	m := method{Name: r.Method, ID: identifier(r), Doc: doc{Title: r.Summary}}
	if r.Section != "" {
		m.Doc.Text = "PS3.18 section " + r.Section
	}
	var asked exchange
	for _, p := range c.Parameters {
		described := param{Name: p.Name, Style: p.In, Doc: &doc{Title: p.Summary}}
		if p.Name == "Accept" && len(c.Answers) > 0 {
			described.Default = c.Answers[0]
			for _, media := range c.Answers {
				described.Options = append(described.Options, option{media})
			}
		}
		asked.Params = append(asked.Params, described)
	}
	asked.Representations = representations(c.Takes)
	if len(asked.Params)+len(asked.Representations) > 0 {
		m.Request = &asked
	}
	if len(c.Answers) > 0 {
		m.Responses = append(m.Responses, exchange{Status: "200", Representations: representations(c.Answers)})
	}
	m.Responses = append(m.Responses, exchange{Status: "400 401 403 404 406 429 500 503", Representations: representations([]string{mediatype.ProblemJSON})})
	return m
}

// identifier names a method in a document: "RetrieveAStudy-studies-study" from its summary and path, so that it is unique.
func identifier(r Route) string {
	words := strings.FieldsFunc(r.Method+" "+strings.TrimPrefix(r.Path, prefix), func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9')
	})
	return strings.Join(words, "-")
}

func representations(media []string) (out []representation) {
	for _, m := range media {
		out = append(out, representation{m})
	}
	return out
}

// capabilities answers OPTIONS of a resource below the DICOMweb root with the Capabilities Description (PS3.18 section
// 8.9). It is the same at each resource and open to everyone, as CORS preflights are: it tells nothing of patients.
func (s *services) capabilities(w http.ResponseWriter, r *http.Request) error {
	offers := []mediatype.Offer{{Media: wadlType}, {Media: mediatype.JSON}, {Media: "application/xml"}}
	n, ok := mediatype.Choose(mediatype.Accept(r), offers)
	if !ok {
		return dicomweb.Errorf(dicomweb.NotAcceptable, "the capabilities are described as %s or %s", wadlType, mediatype.JSON)
	}
	var b bytes.Buffer
	var err error
	if a := describe(s.base(r), s.cfg.Version); offers[n].Media == mediatype.JSON {
		e := json.NewEncoder(&b)
		e.SetIndent("", " ")
		err = e.Encode(map[string]*application{"application": a})
	} else {
		b.WriteString(xml.Header)
		e := xml.NewEncoder(&b)
		e.Indent("", " ")
		err = e.Encode(a)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", offers[n].Media)
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	_, err = w.Write(b.Bytes())
	return err
}

// options answers OPTIONS of a path that has these methods: a browser's preflight (the Fetch standard, CORS protocol)
// with what it may send, anything else below the DICOMweb root with the capabilities.
func (s *services) options(pattern, methods string) echo.HandlerFunc {
	describes := pattern == prefix || strings.HasPrefix(pattern, prefix+"/")
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Allow", methods)
		if describes && c.Request().Header.Get("Access-Control-Request-Method") == "" {
			return s.capabilities(c.Response(), c.Request())
		}
		if h.Get("Access-Control-Allow-Origin") != "" {
			h.Set("Access-Control-Allow-Methods", methods)
			h.Set("Access-Control-Allow-Headers", "authorization, accept, content-type, content-encoding, range, if-none-match, if-modified-since, if-range, cache-control, x-requested-with")
			h.Set("Access-Control-Max-Age", "86400")
		}
		return c.NoContent(http.StatusNoContent)
	}
}
