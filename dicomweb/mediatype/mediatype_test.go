package mediatype_test

import (
	"net/http"
	"net/url"
	"testing"

	"mome/dicomweb/mediatype"
)

func TestParseTakesWhatClientsSend(t *testing.T) {
	for _, c := range []struct {
		name, in  string
		want      string
		key, wish string
	}{
		{"quoted", `multipart/related; type="application/dicom"; boundary="abc"`, "multipart/related", "type", "application/dicom"},
		{"unquoted type keeps the boundary", `multipart/related; type=application/dicom; boundary=abc`, "multipart/related", "boundary", "abc"},
		{"unquoted boundary of odd characters", `multipart/related;boundary='()+_,-./:=?;type=application/dicom`, "multipart/related", "boundary", "'()+_,-./:=?"},
		{"upper case names", `Multipart/Related; TYPE="Application/DICOM"`, "multipart/related", "type", "Application/DICOM"},
		{"repeated parameter", `multipart/related; boundary=a; boundary=b`, "multipart/related", "boundary", "a"},
		{"semicolon in quotes", `multipart/related; boundary="a;b"; type=x/y`, "multipart/related", "boundary", "a;b"},
		{"quoted pair", `a/b; c="d\"e"`, "a/b", "c", `d"e`},
		{"spaces around", ` application/dicom ; transfer-syntax = * `, "application/dicom", "transfer-syntax", "*"},
		{"empty parameter", `application/dicom;;q=1`, "application/dicom", "q", "1"},
		{"quote never closed", `a/b; c="d`, "a/b", "c", "d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := mediatype.Parse(c.in)
			if err != nil {
				t.Fatalf("Parse(%q): %v", c.in, err)
			}
			if got.Name != c.want || got.Param(c.key) != c.wish {
				t.Errorf("Parse(%q) = %s with %s=%q, want %s with %q", c.in, got.Name, c.key, got.Param(c.key), c.want, c.wish)
			}
		})
	}
	for _, in := range []string{"", "dicom", "a/b/c", "/", "a/", "text html/x"} {
		if got, err := mediatype.Parse(in); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", in, got)
		}
	}
}

func TestStringQuotesWhatIsNoToken(t *testing.T) {
	got := mediatype.New("multipart/related", "type", "application/dicom", "boundary", "abc", "x", `a"b`).String()
	want := `multipart/related; type="application/dicom"; boundary=abc; x="a\"b"`
	if got != want {
		t.Errorf("String() = %s, want %s", got, want)
	}
}

const (
	implicit = "1.2.840.10008.1.2"
	explicit = "1.2.840.10008.1.2.1"
	lossless = "1.2.840.10008.1.2.4.70"
)

func TestChoose(t *testing.T) {
	instance := []mediatype.Offer{ // stored implicit, can be given explicit
		{Media: mediatype.DICOM, Multipart: true, TransferSyntax: implicit},
		{Media: mediatype.DICOM, Multipart: true, TransferSyntax: explicit, Default: true},
		{Media: mediatype.DICOM, TransferSyntax: implicit},
		{Media: mediatype.DICOM, TransferSyntax: explicit, Default: true},
	}
	compressed := []mediatype.Offer{ // stored compressed, no decoder
		{Media: "image/jpeg", Multipart: true, TransferSyntax: lossless, Default: true},
		{Media: mediatype.OctetStream, Multipart: true, TransferSyntax: lossless},
	}
	json := []mediatype.Offer{{Media: mediatype.DICOMJSON}, {Media: mediatype.JSON}}
	for _, c := range []struct {
		name   string
		offers []mediatype.Offer
		accept string
		want   int // -1 for 406
	}{
		{"no Accept", instance, "", 1},
		{"anything", instance, "*/*", 1},
		{"multipart without type", instance, "multipart/related", 1},
		{"any type, as the Python client asks", instance, `multipart/related; type="*/*"`, 1},
		{"default is explicit", instance, `multipart/related; type="application/dicom"`, 1},
		{"as stored", instance, `multipart/related; type="application/dicom"; transfer-syntax=*`, 0},
		{"as stored, quoted star", instance, `multipart/related; type="application/dicom"; transfer-syntax="*"`, 0},
		{"unquoted", instance, `multipart/related; type=application/dicom; transfer-syntax=*`, 0},
		{"named syntax", instance, `multipart/related; type="application/dicom"; transfer-syntax=` + implicit, 0},
		{"unknown syntax", instance, `multipart/related; type="application/dicom"; transfer-syntax=1.2.3`, -1},
		{"single part", instance, "application/dicom", 3},
		{"single part as stored", instance, "application/dicom; transfer-syntax=*", 2},
		{"first entry impossible", instance, `multipart/related; type="application/dicom"; transfer-syntax=1.2.3, application/dicom`, 3},
		{"weights", instance, `application/dicom;q=0.5, multipart/related; type="application/dicom";q=0.9`, 1},
		{"refused by zero", instance, `multipart/related; type="application/dicom"; q=0, */*`, 3},
		{"client's order", instance, `application/dicom, multipart/related; type="application/dicom"`, 3},
		{"wildcard last", instance, `*/*, application/dicom`, 3},
		{"html", instance, "text/html", -1},
		{"browser", json, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 0},
		{"json", json, "application/json", 1},
		{"dicom+json", json, "application/dicom+json", 0},
		{"image", json, "image/png", -1},
		{"nonsense", json, "nonsense", -1},
		{"nonsense beside sense", json, "nonsense, application/json", 1},
		{"application/*", json, "application/*", 0},
		{"upper case", json, "Application/DICOM+JSON", 0},
		{"compressed, what OHIF asks", compressed, "multipart/related; type=application/octet-stream; transfer-syntax=*", 1},
		{"compressed, octet-stream means explicit", compressed, "multipart/related; type=application/octet-stream", -1},
		{"compressed, anything", compressed, "*/*", 0},
		{"compressed, image/jpeg", compressed, `multipart/related; type="image/jpeg"`, 0},
		{"compressed, image/*", compressed, `multipart/related; type="image/*"`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var header []string
			if c.accept != "" {
				header = []string{c.accept}
			}
			got, ok := mediatype.Choose(mediatype.ParseAccept(header), c.offers)
			if !ok {
				got = -1
			}
			if got != c.want {
				t.Errorf("Accept %q: offer %d, want %d", c.accept, got, c.want)
			}
		})
	}
}

func TestAcceptInTheQueryWins(t *testing.T) {
	for _, c := range []struct{ name, query, want, syntax string }{
		{"header only", "", "text/html", ""},
		{"plus is no space", "accept=application/dicom+json", mediatype.DICOMJSON, ""},
		{"percent-encoded", "accept=application%2Fdicom%2Bjson", mediatype.DICOMJSON, ""},
		{"semicolon", "limit=1&accept=application/dicom;transfer-syntax=*", mediatype.DICOM, "*"},
		{"empty is none", "accept=", "text/html", ""},
		{"upper case name", "?&Accept=image/jpeg", "image/jpeg", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &http.Request{URL: &url.URL{RawQuery: c.query}, Header: http.Header{"Accept": {"text/html"}}}
			got := mediatype.Accept(r)
			if len(got) != 1 || got[0].Name != c.want || got[0].Param("transfer-syntax") != c.syntax {
				t.Errorf("Accept with query %q = %+v, want %s with transfer syntax %q", c.query, got, c.want, c.syntax)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`multipart/related; type=application/dicom; boundary="a\"b"`)
	f.Add(`a/b;c='()+_,-./:=?;d`)
	f.Fuzz(func(t *testing.T, s string) {
		mediatype.ParseAccept([]string{s, s})
		got, err := mediatype.Parse(s)
		if err != nil {
			return
		}
		again, err := mediatype.Parse(got.String())
		if err != nil || again.String() != got.String() {
			t.Errorf("Parse(%q) writes %q, which reads as %q, %v", s, got, again, err)
		}
	})
}
