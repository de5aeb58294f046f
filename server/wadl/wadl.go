// Package wadl is the Web Application Description Language of 2009 as far as a Capabilities Description needs it (PS3.18
// annex H): resources by their path, with methods, parameters and media types. It is written in XML or, with the same
// members, in JSON. It describes; what there is to describe comes from its caller.
package wadl

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"strings"
)

// MediaType is that of a document in XML.
const MediaType = "application/vnd.sun.wadl+xml"

// Application is a document.
type Application struct {
	XMLName   xml.Name  `xml:"http://wadl.dev.java.net/2009/02 application" json:"-"`
	Doc       Doc       `xml:"doc" json:"doc"`
	Resources Resources `xml:"resources" json:"resources"`
}

// Doc is text for people.
type Doc struct {
	Title string `xml:"title,attr,omitempty" json:"title,omitempty"`
	Text  string `xml:",chardata" json:"text,omitempty"`
}

// Resources are all resources below the URL Base.
type Resources struct {
	Base string      `xml:"base,attr" json:"base"`
	List []*Resource `xml:"resource" json:"resource"`
}

// Resource is one segment of a path; one in braces is a parameter.
type Resource struct {
	Path    string      `xml:"path,attr" json:"path"`
	Params  []Param     `xml:"param" json:"param,omitempty"`
	Methods []Method    `xml:"method" json:"method,omitempty"`
	List    []*Resource `xml:"resource" json:"resource,omitempty"`
}

// Param is a parameter.
type Param struct {
	Name    string   `xml:"name,attr" json:"name"`
	Style   string   `xml:"style,attr" json:"style"` // template, query or header
	Default string   `xml:"default,attr,omitempty" json:"default,omitempty"`
	Doc     *Doc     `xml:"doc" json:"doc,omitempty"`
	Options []Option `xml:"option" json:"option,omitempty"`
}

// Option is a value that a parameter may have.
type Option struct {
	Value string `xml:"value,attr" json:"value"`
}

// Method is a method of a resource; its ID is its own in the document.
type Method struct {
	Name      string     `xml:"name,attr" json:"name"`
	ID        string     `xml:"id,attr" json:"id"`
	Doc       Doc        `xml:"doc" json:"doc"`
	Request   *Exchange  `xml:"request" json:"request,omitempty"`
	Responses []Exchange `xml:"response" json:"response,omitempty"`
}

// Exchange is a request, or a response with its statuses.
type Exchange struct {
	Status          string           `xml:"status,attr,omitempty" json:"status,omitempty"` // separated by spaces
	Params          []Param          `xml:"param" json:"param,omitempty"`
	Representations []Representation `xml:"representation" json:"representation,omitempty"`
}

// Representation is a media type.
type Representation struct {
	MediaType string `xml:"mediaType,attr" json:"mediaType"`
}

// At returns the resource of a path such as "studies/{study}", with those above it added where they are missing.
func (r *Resources) At(path string) *Resource {
	list := &r.List
	var at *Resource
	for segment := range strings.SplitSeq(path, "/") {
		at = child(list, segment)
		list = &at.List
	}
	return at
}

func child(list *[]*Resource, segment string) *Resource {
	for _, r := range *list {
		if r.Path == segment {
			return r
		}
	}
	r := &Resource{Path: segment}
	if name, ok := strings.CutPrefix(segment, "{"); ok {
		r.Params = []Param{{Name: strings.TrimSuffix(strings.TrimSuffix(name, "}"), "..."), Style: "template"}}
	}
	*list = append(*list, r)
	return r
}

// WriteXML writes the document as XML.
func (a *Application) WriteXML(w io.Writer) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", " ")
	return e.Encode(a)
}

// WriteJSON writes the document as JSON, under the member application.
func (a *Application) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(map[string]*Application{"application": a})
}
