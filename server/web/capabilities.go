package web

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"mome/dicomweb"
	"mome/dicomweb/mediatype"
	"mome/server/wadl"
)

// describe returns the description of all resources below the root of the DICOMweb services at base.
func describe(base, version string) *wadl.Application {
	a := &wadl.Application{
		Doc:       wadl.Doc{Title: "MOME node " + version, Text: "Services of DICOM PS3.18, with what the node has beside them"},
		Resources: wadl.Resources{Base: base},
	}
	for _, r := range Routes() {
		if path, ok := strings.CutPrefix(r.Path, prefix+"/"); ok {
			at := a.Resources.At(path)
			at.Methods = append(at.Methods, describeMethod(r))
		}
	}
	return a
}

func describeMethod(r Route) wadl.Method {
	c := r.Coverage()
	m := wadl.Method{Name: r.Method, ID: identifier(r), Doc: wadl.Doc{Title: r.Summary}}
	if r.Section != "" {
		m.Doc.Text = "PS3.18 section " + r.Section
	}
	var asked wadl.Exchange
	for _, p := range c.Parameters {
		described := wadl.Param{Name: p.Name, Style: p.In, Doc: &wadl.Doc{Title: p.Summary}}
		if p.Name == "Accept" && len(c.Answers) > 0 {
			described.Default = c.Answers[0]
			for _, media := range c.Answers {
				described.Options = append(described.Options, wadl.Option{Value: media})
			}
		}
		asked.Params = append(asked.Params, described)
	}
	asked.Representations = representations(c.Takes)
	if len(asked.Params)+len(asked.Representations) > 0 {
		m.Request = &asked
	}
	if len(c.Answers) > 0 {
		m.Responses = append(m.Responses, wadl.Exchange{Status: "200", Representations: representations(c.Answers)})
	}
	m.Responses = append(m.Responses, wadl.Exchange{Status: "400 401 403 404 406 429 500 503", Representations: representations([]string{mediatype.ProblemJSON})})
	return m
}

// identifier names a method by itself and its path, as in "GET-studies-study-series", so that no two have the same.
func identifier(r Route) string {
	words := strings.FieldsFunc(r.Method+" "+strings.TrimPrefix(r.Path, prefix), func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9')
	})
	return strings.Join(words, "-")
}

func representations(media []string) (out []wadl.Representation) {
	for _, m := range media {
		out = append(out, wadl.Representation{MediaType: m})
	}
	return out
}

// capabilities answers OPTIONS of a resource below the DICOMweb root with the Capabilities Description (PS3.18 section
// 8.9). It is the same at each resource and open to everyone, as CORS preflights are: it tells nothing of patients.
func (s *services) capabilities(w http.ResponseWriter, r *http.Request) error {
	offers := []mediatype.Offer{{Media: wadl.MediaType}, {Media: mediatype.JSON}, {Media: "application/xml"}}
	n, ok := mediatype.Choose(mediatype.Accept(r), offers)
	if !ok {
		return dicomweb.Errorf(dicomweb.NotAcceptable, "the capabilities are described as %s or %s", wadl.MediaType, mediatype.JSON)
	}
	a := describe(s.base(r), s.cfg.Version)
	write := a.WriteXML
	if offers[n].Media == mediatype.JSON {
		write = a.WriteJSON
	}
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	w.Header().Set("Content-Type", offers[n].Media)
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	_, err := w.Write(b.Bytes())
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
