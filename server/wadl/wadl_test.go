package wadl_test

import (
	"strings"
	"testing"

	"mome/server/wadl"
)

func document() *wadl.Application {
	a := &wadl.Application{Doc: wadl.Doc{Title: "a <node>"}, Resources: wadl.Resources{Base: "http://node/dicom-web"}}
	series := a.Resources.At("studies/{study}/series")
	series.Methods = append(series.Methods, wadl.Method{Name: "GET", ID: "series", Responses: []wadl.Exchange{{Status: "200 204", Representations: []wadl.Representation{{MediaType: "application/dicom+json"}}}}})
	studies := a.Resources.At("studies")
	studies.Methods = append(studies.Methods, wadl.Method{Name: "GET", ID: "studies", Request: &wadl.Exchange{Params: []wadl.Param{{Name: "Accept", Style: "header", Default: "a/b", Options: []wadl.Option{{Value: "a/b"}}}}}})
	a.Resources.At("files/{path...}")
	return a
}

func TestWrite(t *testing.T) {
	a := document()
	for _, c := range []struct {
		name  string
		write func(*strings.Builder) error
		wants []string
	}{
		{"XML", func(b *strings.Builder) error { return a.WriteXML(b) }, []string{
			`<?xml version="1.0"`, `<application xmlns="http://wadl.dev.java.net/2009/02">`, `title="a &lt;node&gt;"`, `<resources base="http://node/dicom-web">`,
			`<resource path="{study}">`, `<param name="study" style="template">`, `<param name="path" style="template">`, `<response status="200 204">`,
			`<representation mediaType="application/dicom+json">`, `<param name="Accept" style="header" default="a/b">`, `<option value="a/b">`,
		}},
		{"JSON", func(b *strings.Builder) error { return a.WriteJSON(b) }, []string{`"application": {`, `"base": "http://node/dicom-web"`, `"path": "{study}"`, `"mediaType": "application/dicom+json"`}},
	} {
		var b strings.Builder
		if err := c.write(&b); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.wants {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: no %s in\n%s", c.name, want, b.String())
			}
		}
		if n := strings.Count(b.String(), "{study}"); n != 1 {
			t.Errorf("%s: {study} is there %d times", c.name, n)
		}
	}
}

func TestAtAddsWhatIsMissing(t *testing.T) {
	a := document()
	if a.Resources.At("studies/{study}") != a.Resources.At("studies/{study}") {
		t.Error("the same path gives two resources")
	}
	if len(a.Resources.List) != 2 || len(a.Resources.At("studies").List) != 1 {
		t.Errorf("%d resources at the top", len(a.Resources.List))
	}
}
