package web_test

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"mome/server/web"
)

// wadl is what a client reads of a Capabilities Description.
type wadl struct {
	XMLName   xml.Name `xml:"http://wadl.dev.java.net/2009/02 application" json:"-"`
	Resources struct {
		Base string         `xml:"base,attr" json:"base"`
		List []wadlResource `xml:"resource" json:"resource"`
	} `xml:"resources" json:"resources"`
}

type wadlResource struct {
	Path    string `xml:"path,attr" json:"path"`
	Methods []struct {
		Name    string `xml:"name,attr" json:"name"`
		ID      string `xml:"id,attr" json:"id"`
		Request struct {
			Params []struct {
				Name  string `xml:"name,attr" json:"name"`
				Style string `xml:"style,attr" json:"style"`
			} `xml:"param" json:"param"`
			Representations []struct {
				MediaType string `xml:"mediaType,attr" json:"mediaType"`
			} `xml:"representation" json:"representation"`
		} `xml:"request" json:"request"`
	} `xml:"method" json:"method"`
	List []wadlResource `xml:"resource" json:"resource"`
}

// flatten lists "METHOD /path" of all resources, with the methods' IDs.
func flatten(t *testing.T, at string, list []wadlResource, into map[string]string) {
	for _, r := range list {
		for _, m := range r.Methods {
			key := m.Name + " " + at + "/" + r.Path
			for other, id := range into {
				if id == m.ID {
					t.Errorf("%s and %s have the same id %s", key, other, id)
				}
			}
			into[key] = m.ID
		}
		flatten(t, at+"/"+r.Path, r.List, into)
	}
}

func TestCapabilities(t *testing.T) {
	n := controlled(t, web.Config{})
	for _, c := range []struct {
		name, path, accept string
		status             int
		contentType        string
	}{
		{"root, no Accept", "", "", 200, "application/vnd.sun.wadl+xml"},
		{"root, anything", "/", "*/*", 200, "application/vnd.sun.wadl+xml"},
		{"WADL", "", "application/vnd.sun.wadl+xml", 200, "application/vnd.sun.wadl+xml"},
		{"JSON", "", "application/json", 200, "application/json"},
		{"a resource", "/studies", "application/json", 200, "application/json"},
		{"a resource below", instance + ".1/frames/1", "", 200, "application/vnd.sun.wadl+xml"},
		{"a picture of it", "", "image/png", 406, "application/problem+json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := n.do("OPTIONS", n.dicom+c.path, nil, header("Accept", "", c.accept))
			if got.StatusCode != c.status || got.Header.Get("Content-Type") != c.contentType || !strings.Contains(got.Header.Get("Allow"), "OPTIONS") {
				t.Fatalf("%s as %s, Allow %q: %.200s", got.Status, got.Header.Get("Content-Type"), got.Header.Get("Allow"), got.body)
			}
			if c.status != 200 {
				return
			}
			var w wadl
			if strings.HasSuffix(c.contentType, "json") {
				var outer struct{ Application *wadl }
				outer.Application = &w
				if err := json.Unmarshal(got.body, &outer); err != nil {
					t.Fatal(err)
				}
			} else if err := xml.Unmarshal(got.body, &w); err != nil {
				t.Fatal(err)
			}
			have := map[string]string{}
			flatten(t, "/dicom-web", w.Resources.List, have)
			for _, r := range web.Routes() {
				if key := r.Method + " " + r.Path; strings.HasPrefix(r.Path, "/dicom-web/") && have[key] == "" {
					t.Errorf("%s is not described", key)
				}
			}
			if w.Resources.Base != n.dicom {
				t.Errorf("base %q, want %q", w.Resources.Base, n.dicom)
			}
			studies := w.Resources.List[0]
			var params []string
			for _, m := range studies.Methods {
				for _, p := range m.Request.Params {
					params = append(params, m.Name+" "+p.Style+" "+p.Name)
				}
			}
			for _, want := range []string{"GET query includefield", "GET header Accept", "POST header Content-Type"} {
				if !strings.Contains(strings.Join(params, "\n"), want) {
					t.Errorf("%s is not described at /studies: %v", want, params)
				}
			}
		})
	}
	if got := n.do("OPTIONS", n.root+"/jobs", nil); got.StatusCode != 204 {
		t.Errorf("OPTIONS /jobs: %s, want 204: it is no DICOMweb resource", got.Status)
	}
}
