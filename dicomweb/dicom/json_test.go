package dicom_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// attribute returns the JSON of one element alone.
func attribute(t *testing.T, e *dicom.Element, charset string) string {
	t.Helper()
	d := dicom.New()
	if charset != "" {
		d.Set(tag.SpecificCharacterSet, charset)
	}
	b, err := dicom.AppendJSON(nil, d, dicom.JSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	before := len(b)
	d.Put(e)
	if b, err = dicom.AppendJSON(nil, d, dicom.JSONOptions{}); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(b) {
		t.Fatalf("not JSON: %s", b)
	}
	s := string(b[before-1 : len(b)-1])
	return strings.TrimPrefix(strings.TrimPrefix(s, ","), `"`+e.Tag.Hex()+`":`)
}

func TestJSONValues(t *testing.T) {
	text := func(vr dicom.VR, s string) *dicom.Element {
		return &dicom.Element{Tag: 0x00091001, VR: vr, Value: []byte(s)}
	}
	binary := func(vr dicom.VR, values ...any) *dicom.Element {
		d := dicom.New()
		d.SetVR(0x00091001, vr, values...)
		return d.Get(0x00091001)
	}
	for _, c := range []struct {
		name    string
		e       *dicom.Element
		charset string
		want    string
	}{
		{"empty", text(dicom.LO, ""), "", `{"vr":"LO"}`},
		{"only padding", text(dicom.LO, "  "), "", `{"vr":"LO"}`},
		{"one of several is empty", text(dicom.LO, `a\\b `), "", `{"vr":"LO","Value":["a",null,"b"]}`},
		{"quotes and controls", text(dicom.LT, "a\"b\\c\r\n\t\x01"), "", `{"vr":"LT","Value":["a\"b\\c\r\n\t\u0001"]}`},
		{"Latin 1", text(dicom.LO, "M\xfcller"), "ISO_IR 100", `{"vr":"LO","Value":["Müller"]}`},
		{"not ASCII", text(dicom.CS, "M\xfcller"), "ISO_IR 100", "{\"vr\":\"CS\",\"Value\":[\"M\uFFFDller\"]}"},
		{"name", text(dicom.PN, "Doe^Jane "), "", `{"vr":"PN","Value":[{"Alphabetic":"Doe^Jane"}]}`},
		{"name in three groups", text(dicom.PN, "A^B=C^D=E^F"), "",
			`{"vr":"PN","Value":[{"Alphabetic":"A^B","Ideographic":"C^D","Phonetic":"E^F"}]}`},
		{"name without the first group", text(dicom.PN, "=C=\\"), "", `{"vr":"PN","Value":[{"Ideographic":"C"},null]}`},
		{"integers", text(dicom.IS, `1\-2\+3\007\ 5 `), "", `{"vr":"IS","Value":[1,-2,3,7,5]}`},
		{"large integer", text(dicom.IS, "9007199254740993"), "", `{"vr":"IS","Value":["9007199254740993"]}`},
		{"decimals", text(dicom.DS, `1.50\-0\+.5\1.\1e-3\1E+05\00.1`), "",
			`{"vr":"DS","Value":[1.50,-0,0.5,1,1e-3,1e+05,0.1]}`},
		{"16 digits that a double holds", text(dicom.DS, "0.7071067811865475"), "",
			`{"vr":"DS","Value":[0.7071067811865475]}`},
		{"digits that a double loses", text(dicom.DS, "0.12345678901234567890"), "",
			`{"vr":"DS","Value":["0.12345678901234567890"]}`},
		{"beyond a double", text(dicom.DS, `1e400\1e-400`), "", `{"vr":"DS","Value":["1e400","1e-400"]}`},
		{"no numbers", text(dicom.DS, `NaN\1,5\\--1\1e\0x1\.`), "",
			`{"vr":"DS","Value":["NaN","1,5",null,"--1","1e","0x1","."]}`},
		{"floats", binary(dicom.FL, 0.1, float32(1e-7), 3e38), "", `{"vr":"FL","Value":[0.1,1e-07,3e+38]}`},
		{"no number and infinite", binary(dicom.FD, math.NaN(), math.Inf(1), math.Inf(-1), 0.25), "",
			`{"vr":"FD","Value":["NaN","Infinity","-Infinity",0.25]}`},
		{"signs", binary(dicom.SS, -1, 32767), "", `{"vr":"SS","Value":[-1,32767]}`},
		{"64 bits", binary(dicom.SV, int64(-5), int64(math.MinInt64)), "", `{"vr":"SV","Value":[-5,"-9223372036854775808"]}`},
		{"64 bits unsigned", binary(dicom.UV, uint64(math.MaxUint64)), "", `{"vr":"UV","Value":["18446744073709551615"]}`},
		{"tags", binary(dicom.AT, tag.PatientName), "", `{"vr":"AT","Value":["00100010"]}`},
		{"bytes", binary(dicom.OB, []byte{1, 2}), "", `{"vr":"OB","InlineBinary":"AQI="}`},
		{"half a number", text(dicom.US, "\x01"), "", `{"vr":"US"}`},
		{"empty sequence", &dicom.Element{Tag: 0x00091001, VR: dicom.SQ}, "", `{"vr":"SQ"}`},
		{"empty item", &dicom.Element{Tag: 0x00091001, VR: dicom.SQ, Items: []*dicom.Dataset{dicom.New()}}, "",
			`{"vr":"SQ","Value":[{}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := attribute(t, c.e, c.charset); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestJSONBulk(t *testing.T) {
	d := object()
	long := bytes.Repeat([]byte{1, 2, 3, 4}, 30_000)
	d.SetVR(tag.PixelData, dicom.OW, long)
	item := dicom.New()
	item.SetVR(tag.RedPaletteColorLookupTableData, dicom.OW, long[:2000])
	item.SetVR(tag.GraphicData, dicom.FL, make([]any, 0)...)
	item.Put(&dicom.Element{Tag: tag.GraphicData, VR: dicom.FL, Value: long[:8000]})
	d.SetItems(tag.ContentSequence, dicom.New(), item)
	d.SetVR(0x00091001, dicom.OB, long[:70_000])
	d.SetVR(0x00091002, dicom.OB, long[:100])
	f := scan(t, write(t, d, uid.ExplicitVRLittleEndian))
	var paths []string
	b, err := f.AppendJSON(nil, dicom.JSONOptions{BulkDataURI: func(path string, e *dicom.Element) string {
		paths = append(paths, path)
		if in, found := f.Dataset.Find(path); found != e || in == nil {
			t.Errorf("Find(%q) is not the element", path)
		}
		return "../bulkdata/" + path
	}})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"00091001", "0040A730/1/00281201", "7FE00010"}; !slices.Equal(paths, want) {
		t.Errorf("asked for %q, want %q", paths, want)
	}
	if want := `"7FE00010":{"vr":"OW","BulkDataURI":"../bulkdata/7FE00010"}`; !strings.Contains(string(b), want) {
		t.Errorf("no %s in %.300s", want, b)
	}
	// Without an URI everything is inline, and comes back by ParseJSON.
	if b, err = f.AppendJSON(nil, dicom.JSONOptions{}); err != nil {
		t.Fatal(err)
	}
	back, err := dicom.ParseJSON(bytes.NewReader(b), dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(back) != 1 || !bytes.Equal(back[0].Bytes(tag.PixelData), long) {
		t.Errorf("%d data sets, pixel data %d bytes", len(back), len(back[0].Bytes(tag.PixelData)))
	}
	if _, err := dicom.AppendJSON(nil, f.Dataset, dicom.JSONOptions{}); err == nil {
		t.Error("a deferred value without a file and a URI is no error")
	}
}

// TestParseJSON reads what AppendJSON writes, and what others may.
func TestParseJSON(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"Value before vr", `{"00100010":{"Value":[{"Alphabetic":"A"}],"vr":"PN"}}`,
			`{"00100010":{"vr":"PN","Value":[{"Alphabetic":"A"}]}}`},
		{"item before vr", `[{"00400275":{"Value":[{"00080050":{"vr":"SH","Value":["x"]},"00080060":{"vr":"CS"}},{}],"vr":"SQ"}}]`,
			`{"00400275":{"vr":"SQ","Value":[{"00080050":{"vr":"SH","Value":["x"]},"00080060":{"vr":"CS"}},{}]}}`},
		{"no vr", `{"00280010":{"Value":[512]}}`, `{"00280010":{"vr":"US","Value":[512]}}`},
		{"unsorted", `{"00280010":{"vr":"US","Value":[5.0]},"00080060":{"vr":"CS","Value":["MR"]}}`,
			`{"00080060":{"vr":"CS","Value":["MR"]},"00280010":{"vr":"US","Value":[5]}}`},
		{"numbers as strings", `{"00280010":{"vr":"US","Value":["512"]},"00180050":{"vr":"DS","Value":["1.5",2]}}`,
			`{"00180050":{"vr":"DS","Value":[1.5,2]},"00280010":{"vr":"US","Value":[512]}}`},
		{"null among values", `{"00080008":{"vr":"CS","Value":["A",null,"B"]}}`, `{"00080008":{"vr":"CS","Value":["A",null,"B"]}}`},
		{"only null", `{"00080008":{"vr":"CS","Value":[null]}}`, `{"00080008":{"vr":"CS"}}`},
		{"empty name", `{"00100010":{"vr":"PN","Value":[{}]}}`, `{"00100010":{"vr":"PN"}}`},
		{"not a number", `{"00189087":{"vr":"FD","Value":["NaN","-Infinity"]}}`, `{"00189087":{"vr":"FD","Value":["NaN","-Infinity"]}}`},
		{"text needs UTF-8", `{"00100020":{"vr":"LO","Value":["ü"]}}`,
			`{"00080005":{"vr":"CS","Value":["ISO_IR 192"]},"00100020":{"vr":"LO","Value":["ü"]}}`},
		{"another character set", `{"00080005":{"vr":"CS","Value":["ISO_IR 100"]},"00100020":{"vr":"LO","Value":["ü"]}}`,
			`{"00080005":{"vr":"CS","Value":["ISO_IR 192"]},"00100020":{"vr":"LO","Value":["ü"]}}`},
		{"bulk data", `{"7FE00010":{"vr":"OW","BulkDataURI":"x"}}`, `{"7FE00010":{"vr":"OW","BulkDataURI":"x"}}`},
		{"lower case tag", `{"0020000d":{"vr":"UI","Value":["1.2"]}}`, `{"0020000D":{"vr":"UI","Value":["1.2"]}}`},
		{"large integers", `{"00091001":{"vr":"SV","Value":[-9223372036854775808,"9223372036854775807"]}}`,
			`{"00091001":{"vr":"SV","Value":["-9223372036854775808","9223372036854775807"]}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, err := dicom.ParseJSON(strings.NewReader(c.in), dicom.Limits{})
			if err != nil || len(all) != 1 {
				t.Fatalf("%d data sets, %v", len(all), err)
			}
			got, err := dicom.AppendJSON(nil, all[0], dicom.JSONOptions{})
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestParseJSONRefuses(t *testing.T) {
	deep := strings.Repeat(`{"00400275":{"vr":"SQ","Value":[`, 100)
	for _, c := range []struct{ name, in string }{
		{"nothing", ""},
		{"a number", "1"},
		{"not JSON", "{"},
		{"two documents", "{}{}"},
		{"array of numbers", "[1]"},
		{"key that is no tag", `{"PatientName":{"vr":"PN"}}`},
		{"attribute that is no object", `{"00100010":1}`},
		{"unknown VR", `{"00100010":{"vr":"XX"}}`},
		{"VR of the wrong type", `{"00100010":{"vr":1}}`},
		{"unknown member", `{"00100010":{"vr":"PN","value":[]}}`},
		{"Value and InlineBinary", `{"00091001":{"vr":"OB","Value":[],"InlineBinary":"AQI="}}`},
		{"Value of bytes", `{"00091001":{"vr":"OB","Value":[1]}}`},
		{"not base64", `{"00091001":{"vr":"OB","InlineBinary":"?"}}`},
		{"too large", `{"00280010":{"vr":"US","Value":[65536]}}`},
		{"not integer", `{"00280010":{"vr":"US","Value":[1.5]}}`},
		{"null number", `{"00280010":{"vr":"US","Value":[null]}}`},
		{"boolean", `{"00280010":{"vr":"US","Value":[true]}}`},
		{"array in Value", `{"00280010":{"vr":"US","Value":[[1]]}}`},
		{"text in a sequence", `{"00400275":{"vr":"SQ","Value":["x"]}}`},
		{"item in text", `{"00080050":{"vr":"SH","Value":[{"00080050":{"vr":"SH"}}]}}`},
		{"bad tag value", `{"00091001":{"vr":"AT","Value":["0010001"]}}`},
		{"twice", `{"00080050":{"vr":"SH"},"00080050":{"vr":"SH"}}`},
		{"delimiter in a value", `{"00080050":{"vr":"SH","Value":["a\\b","c"]}}`},
		{"equals sign in a name", `{"00100010":{"vr":"PN","Value":[{"Alphabetic":"a=b"}]}}`},
		{"too deep", deep},
		{"too deep, vr last", strings.Repeat(`{"00400275":{"Value":[`, 100)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if all, err := dicom.ParseJSON(strings.NewReader(c.in), dicom.Limits{}); err == nil {
				t.Errorf("%.80q was read as %d data sets", c.in, len(all))
			} else if strings.Contains(err.Error(), "65536") {
				t.Errorf("the error holds a value: %v", err)
			}
		})
	}
}

// TestParseJSONLimits: each limit is enforced, and said to be one.
func TestParseJSONLimits(t *testing.T) {
	many := `{"00400275":{"vr":"SQ","Value":[{}` + strings.Repeat(`,{}`, 999) + `]}}`
	for _, c := range []struct {
		name, in string
		lim      dicom.Limits
		reason   string
	}{
		{"bytes", `[{"00080050":{"vr":"SH","Value":["` + strings.Repeat("x", 1000) + `"]}}]`, dicom.Limits{HeaderBytes: 500}, dicom.ReasonHeaderBytes},
		{"memory", `{"00280010":{"vr":"US","Value":[1` + strings.Repeat(",1", 1000) + `]}}`, dicom.Limits{HeaderBytes: 50_000}, dicom.ReasonHeaderBytes},
		{"items", many, dicom.Limits{Items: 999}, dicom.ReasonItems},
		{"data sets", `[{},{}]`, dicom.Limits{Items: 1}, dicom.ReasonItems},
		{"elements", `[{"00080050":{"vr":"SH"}},{"00080050":{"vr":"SH"}}]`, dicom.Limits{Elements: 1}, dicom.ReasonElements},
		{"depth", `{"00400275":{"vr":"SQ","Value":[{"00400275":{"vr":"SQ","Value":[{}]}}]}}`, dicom.Limits{Depth: 1}, dicom.ReasonDepth},
	} {
		_, err := dicom.ParseJSON(strings.NewReader(c.in), c.lim)
		var format *dicom.FormatError
		if !errors.As(err, &format) || format.Reason != c.reason || !format.Limit() {
			t.Errorf("%s: got %v, want %q", c.name, err, c.reason)
		}
		if _, err := dicom.ParseJSON(strings.NewReader(c.in), dicom.Limits{}); err != nil {
			t.Errorf("%s: refused without the limit: %v", c.name, err)
		}
	}
}

// FuzzParseJSON: what is read can be written, and comes back the same.
func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"00100010":{"vr":"PN","Value":[{"Alphabetic":"A"}]},"00280010":{"vr":"US","Value":[512]}}`))
	f.Add([]byte(`[{"00400275":{"Value":[{"00080050":{"vr":"SH","Value":["x"]}},{}],"vr":"SQ"}}]`))
	f.Add([]byte(`{"00091001":{"vr":"OB","InlineBinary":"AQI="},"00189087":{"vr":"FD","Value":["NaN",1e3]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := dicom.ParseJSON(bytes.NewReader(b), dicom.Limits{})
		if err != nil {
			return
		}
		for _, d := range all {
			once, err := dicom.AppendJSON(nil, d, dicom.JSONOptions{})
			if err != nil || !json.Valid(once) {
				t.Fatalf("%q: %v, %q", b, err, once)
			}
			back, err := dicom.ParseJSON(bytes.NewReader(once), dicom.Limits{})
			if err != nil {
				t.Fatalf("%q wrote %q: %v", b, once, err)
			}
			if twice, err := dicom.AppendJSON(nil, back[0], dicom.JSONOptions{}); err != nil || !bytes.Equal(once, twice) {
				t.Fatalf("%q: first %q then %q, %v", b, once, twice, err)
			}
		}
	})
}
