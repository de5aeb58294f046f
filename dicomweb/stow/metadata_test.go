package stow_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/pixel"
	"mome/dicomweb/stow"
)

const bigEndian = "1.2.840.10008.1.2.2" // retired, so package uid has no name for it

// node is a Store service over an archive on disk.
type node struct {
	*stow.Service
	archive *archive.Archive
}

func openNode(t testing.TB, cfg stow.Config, acfg archive.Config) *node {
	t.Helper()
	acfg.Dir = t.TempDir()
	a, err := archive.Open(context.Background(), acfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	cfg.Archive, cfg.BaseURL = a, func(*http.Request) string { return "http://node/dicom-web" }
	if cfg.SpoolDir == "" {
		cfg.SpoolDir = t.TempDir()
	}
	s, err := stow.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &node{s, a}
}

// only returns the instance with this UID, read whole.
func (n *node) only(t *testing.T, instance string) *dicom.File {
	t.Helper()
	found, err := n.archive.Instances(context.Background(), dicomweb.Ref{Study: "1.2"})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range found {
		if i.Ref.Instance != instance {
			continue
		}
		b, err := n.archive.Open(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		f, err := dicom.Scan(b, b.Size(), dicom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	t.Fatalf("instance %s is not among %d", instance, len(found))
	return nil
}

// image returns the metadata of an image whose pixels are elsewhere.
func imageOf(instance string, change func(d *dicom.Dataset)) *dicom.Dataset {
	d := dicom.New()
	d.Set(tag.SOPClassUID, uid.SecondaryCaptureImageStorage)
	d.Set(tag.SOPInstanceUID, instance)
	d.Set(tag.StudyInstanceUID, "1.2")
	d.Set(tag.SeriesInstanceUID, "1.2.3")
	d.Set(tag.PatientName, "Müller^Jörg")
	d.Put(&dicom.Element{Tag: tag.PixelData, VR: dicom.OW, BulkDataURI: "pixels"})
	if change != nil {
		change(d)
	}
	return d
}

// monochrome says that the pixels are 2 x 3 of 16 bits, 12 bytes.
func monochrome(d *dicom.Dataset) {
	d.Set(tag.Rows, 2)
	d.Set(tag.Columns, 3)
	d.Set(tag.SamplesPerPixel, 1)
	d.Set(tag.PhotometricInterpretation, "MONOCHROME2")
	for t, v := range map[tag.Tag]int{tag.BitsAllocated: 16, tag.BitsStored: 12, tag.HighBit: 11, tag.PixelRepresentation: 0} {
		d.Set(t, v)
	}
}

type part struct{ media, location, body string }

// jsonPart returns the metadata as one part of JSON, xmlParts as parts of XML.
func jsonPart(t testing.TB, list ...*dicom.Dataset) []part {
	t.Helper()
	var b []byte
	for i, d := range list {
		b = append(b, "[,"[min(i, 1)])
		var err error
		if b, err = dicom.AppendJSON(b, d, dicom.JSONOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return []part{{"application/dicom+json", "", string(b) + "]"}}
}

func xmlParts(t testing.TB, list ...*dicom.Dataset) (parts []part) {
	t.Helper()
	for _, d := range list {
		b, err := dicom.AppendXML(nil, d, dicom.JSONOptions{})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part{"application/dicom+xml", "", string(b)})
	}
	return parts
}

func bodyOf(parts ...part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("--b\r\nContent-Type: " + p.media + "\r\n")
		if p.location != "" {
			b.WriteString("Content-Location: " + p.location + "\r\n")
		}
		b.WriteString("\r\n" + p.body + "\r\n")
	}
	return b.String() + "--b--\r\n"
}

const (
	ofJSON = `multipart/related; type="application/dicom+json"; boundary=b`
	ofXML  = `multipart/related; type="application/dicom+xml"; boundary=b`
)

const twelve = "abcdefghijkl"

func TestMetadataWithPixels(t *testing.T) {
	rle := rleFrame(twelve)
	for _, c := range []struct {
		name   string
		change func(d *dicom.Dataset)
		parts  []part
		syntax string
		native string   // the pixels
		frames []string // the fragments behind the offset table
	}{
		{"uncompressed", monochrome, []part{{"application/octet-stream", "pixels", twelve}}, uid.ExplicitVRLittleEndian, twelve, nil},
		{"explicit by name", monochrome, []part{{"application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1", "pixels", twelve}}, uid.ExplicitVRLittleEndian, twelve, nil},
		{"implicit", monochrome, []part{{"application/octet-stream; transfer-syntax=1.2.840.10008.1.2", "pixels", twelve}}, uid.ImplicitVRLittleEndian, twelve, nil},
		{"implicit by the metadata", func(d *dicom.Dataset) { monochrome(d); d.Set(tag.TransferSyntaxUID, uid.ImplicitVRLittleEndian) },
			[]part{{"application/octet-stream", "pixels", twelve}}, uid.ImplicitVRLittleEndian, twelve, nil},
		{"no description to check", nil, []part{{"application/octet-stream", "pixels", "abc"}}, uid.ExplicitVRLittleEndian, "abc\x00", nil},
		{"a part for each frame", func(d *dicom.Dataset) { monochrome(d); d.Set(tag.NumberOfFrames, "2") },
			[]part{{"application/octet-stream", "pixels", twelve}, {"application/octet-stream", "pixels", "mnopqrstuvwx"}}, uid.ExplicitVRLittleEndian, twelve + "mnopqrstuvwx", nil},
		{"RLE", monochrome, []part{{"image/dicom-rle", "pixels", rle}}, uid.RLELossless, "", []string{rle}},
		{"RLE as octets", monochrome, []part{{"application/octet-stream; transfer-syntax=1.2.840.10008.1.2.5", "pixels", rle}}, uid.RLELossless, "", []string{rle}},
		{"RLE by the metadata", func(d *dicom.Dataset) { monochrome(d); d.Set(tag.TransferSyntaxUID, uid.RLELossless) },
			[]part{{"application/octet-stream", "pixels", rle}}, uid.RLELossless, "", []string{rle}},
		{"RLE frames", monochrome, []part{{"image/dicom-rle", "pixels", rle}, {"image/dicom-rle", "pixels", rle}}, uid.RLELossless, "", []string{rle, rle}},
		{"JPEG-LS, odd length", monochrome, []part{{"image/jls", "pixels", "abc"}}, uid.JPEGLSLossless, "", []string{"abc\x00"}},
		{"JPEG XL by name", monochrome, []part{{"image/jxl; transfer-syntax=1.2.840.10008.1.2.4.112", "pixels", "abcd"}}, uid.JPEGXL, "", []string{"abcd"}},
		{"video", func(d *dicom.Dataset) { monochrome(d); d.Set(tag.NumberOfFrames, "250") },
			[]part{{"video/mp4", "pixels", "abcd"}}, uid.MPEG4HP41, "", []string{"abcd"}},
	} {
		for form, metadata := range map[string]func(testing.TB, ...*dicom.Dataset) []part{ofJSON: jsonPart, ofXML: xmlParts} {
			for _, bulkFirst := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%t", c.name, form[len(`multipart/related; type="application/dicom+`):][:3], bulkFirst), func(t *testing.T) {
					n := openNode(t, stow.Config{}, archive.Config{})
					d := imageOf("1.2.3.4", nil)
					if c.change != nil {
						c.change(d)
					}
					parts := append(syntaxKept(t, metadata(t, d), d), c.parts...)
					if bulkFirst && form == ofJSON {
						parts = append(append([]part{}, c.parts...), parts[:len(parts)-len(c.parts)]...)
					}
					if status, body := post(n.Service, "", form, bodyOf(parts...)); status != 200 {
						t.Fatalf("%d %s", status, body)
					}
					f := n.only(t, "1.2.3.4")
					if f.TransferSyntax != c.syntax || f.Dataset.String(tag.PatientName) != "Müller^Jörg" {
						t.Errorf("transfer syntax %s, want %s; name %q", f.TransferSyntax, c.syntax, f.Dataset.String(tag.PatientName))
					}
					e := f.Dataset.Get(tag.PixelData)
					if c.frames == nil {
						if got, err := f.Value(e); err != nil || string(got) != c.native {
							t.Errorf("pixels %q, %v, want %q", got, err, c.native)
						}
						return
					}
					if len(e.Fragments) != 1+len(c.frames) {
						t.Fatalf("%d fragments, want a table and %d", len(e.Fragments), len(c.frames))
					}
					for i, want := range c.frames {
						if got, err := io.ReadAll(f.Open(e.Fragments[1+i])); err != nil || string(got) != want {
							t.Errorf("fragment %d: %q, %v, want %q", i, got, err, want)
						}
					}
					if len(c.frames) > 1 && f.Dataset.IntOr(tag.NumberOfFrames, 1) != len(c.frames) {
						t.Errorf("NumberOfFrames is %d, want %d", f.Dataset.IntOr(tag.NumberOfFrames, 1), len(c.frames))
					}
				})
			}
		}
	}
}

// syntaxKept puts the Transfer Syntax UID of d into metadata, which the writers of the models leave out.
func syntaxKept(t *testing.T, parts []part, d *dicom.Dataset) []part {
	syntax := d.String(tag.TransferSyntaxUID)
	if syntax == "" {
		return parts
	}
	p := &parts[0]
	if p.media == "application/dicom+json" {
		p.body = `[{"00020010":{"vr":"UI","Value":["` + syntax + `"]},` + p.body[2:]
		return parts
	}
	p.body = strings.Replace(p.body, "<DicomAttribute", `<DicomAttribute tag="00020010" vr="UI"><Value number="1">`+syntax+"</Value></DicomAttribute><DicomAttribute", 1)
	return parts
}

// rleFrame encodes up to 128 bytes as one segment of literal bytes, PS3.5 annex G.
func rleFrame(pixels string) string {
	var high, low []byte
	for i := 0; i < len(pixels); i += 2 { // little endian words; the segments hold the high bytes first
		low, high = append(low, pixels[i]), append(high, pixels[i+1])
	}
	header := make([]byte, 64)
	header[0], header[4], header[8] = 2, 64, byte(64+1+len(high)+(1+len(high))%2)
	var b bytes.Buffer
	b.Write(header)
	for _, s := range [][]byte{high, low} {
		b.WriteByte(byte(len(s) - 1))
		b.Write(s)
		if (1+len(s))%2 == 1 {
			b.WriteByte(0)
		}
	}
	return b.String()
}

// TestEncapsulatedPixelsDecode: what was put together is decoded to the pixels that were encoded.
func TestEncapsulatedPixelsDecode(t *testing.T) {
	n := openNode(t, stow.Config{}, archive.Config{})
	parts := append(jsonPart(t, imageOf("1.2.3.4", monochrome)), part{"image/dicom-rle", "pixels", rleFrame(twelve)})
	if status, body := post(n.Service, "", ofJSON, bodyOf(parts...)); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	f := n.only(t, "1.2.3.4")
	layout, err := pixel.LayoutOf(f.Dataset)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(f.Open(f.Dataset.Get(tag.PixelData).Fragments[1]))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := pixel.Native(layout, f.TransferSyntax, raw); err != nil || string(got) != twelve {
		t.Errorf("decoded %q, %v, want %q", got, err, twelve)
	}
}

// TestDescriptionComesFromTheStream: images of consumers need no Image Pixel Description (PS3.18 table 10.5.2-1).
func TestDescriptionComesFromTheStream(t *testing.T) {
	gray, rgb := image.NewGray16(image.Rect(0, 0, 3, 2)), image.NewNRGBA(image.Rect(0, 0, 3, 2))
	for i := range 6 {
		gray.SetGray16(i%3, i/3, color.Gray16{Y: uint16(0x0100 + i)})
		rgb.SetNRGBA(i%3, i/3, color.NRGBA{R: uint8(i), G: 10, B: 20, A: uint8(100 * (i % 2))})
	}
	encode := func(f func(w io.Writer) error) string {
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	palette := color.Palette{color.Black, color.White, color.Transparent}
	first, second := image.NewPaletted(image.Rect(0, 0, 3, 2), palette), image.NewPaletted(image.Rect(1, 0, 2, 1), palette)
	second.Pix[0] = 1
	for _, c := range []struct {
		name, media, stream, syntax string
		rows, columns, samples      int
		bits, frames                int
		photometric, pixels         string // "" for a stream kept as it is
	}{
		{"JPEG", "image/jpeg", encode(func(w io.Writer) error { return jpeg.Encode(w, rgb, nil) }), uid.JPEGBaseline8Bit, 2, 3, 3, 8, 1, "YBR_FULL_422", ""},
		{"grey JPEG", "image/jpeg", encode(func(w io.Writer) error { return jpeg.Encode(w, image.NewGray(image.Rect(0, 0, 7, 5)), nil) }), uid.JPEGBaseline8Bit, 5, 7, 1, 8, 1, "MONOCHROME2", ""},
		{"grey PNG of 16 bits", "image/png", encode(func(w io.Writer) error { return png.Encode(w, gray) }), uid.ExplicitVRLittleEndian, 2, 3, 1, 16, 1, "MONOCHROME2", "\x00\x01\x01\x01\x02\x01\x03\x01\x04\x01\x05\x01"},
		{"PNG with transparency", "image/png", encode(func(w io.Writer) error { return png.Encode(w, rgb) }), uid.ExplicitVRLittleEndian, 2, 3, 3, 8, 1, "RGB", "\x00\x0a\x14\x01\x0a\x14\x02\x0a\x14\x03\x0a\x14\x04\x0a\x14\x05\x0a\x14"},
		{"GIF", "image/gif", encode(func(w io.Writer) error {
			return gif.EncodeAll(w, &gif.GIF{Image: []*image.Paletted{first, second}, Delay: []int{1, 1}})
		}), uid.ExplicitVRLittleEndian, 2, 3, 3, 8, 2, "RGB", strings.Repeat("\x00", 18) + "\x00\x00\x00\xff\xff\xff" + strings.Repeat("\x00", 12)},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := openNode(t, stow.Config{}, archive.Config{})
			parts := append(jsonPart(t, imageOf("1.2.3.4", nil)), part{c.media, "pixels", c.stream})
			if status, body := post(n.Service, "", ofJSON, bodyOf(parts...)); status != 200 {
				t.Fatalf("%d %s", status, body)
			}
			f := n.only(t, "1.2.3.4")
			d := f.Dataset
			got := fmt.Sprint(f.TransferSyntax, d.IntOr(tag.Rows, 0), d.IntOr(tag.Columns, 0), d.IntOr(tag.SamplesPerPixel, 0), d.IntOr(tag.BitsStored, 0), d.IntOr(tag.NumberOfFrames, 1), d.String(tag.PhotometricInterpretation))
			if want := fmt.Sprint(c.syntax, c.rows, c.columns, c.samples, c.bits, c.frames, c.photometric); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			e := d.Get(tag.PixelData)
			if c.pixels == "" {
				raw, _ := io.ReadAll(f.Open(e.Fragments[1]))
				if !strings.HasPrefix(string(raw), c.stream) || d.String(tag.LossyImageCompression) != "01" {
					t.Errorf("the stream has changed, or is not told as lossy")
				}
			} else if raw, err := f.Value(e); err != nil || string(raw) != c.pixels {
				t.Errorf("pixels % x, %v, want % x", raw, err, c.pixels)
			}
		})
	}
}

// smallPNG is an image of one grey pixel; largePNG is the header of one with 8192 x 4096, the most that is decoded.
const (
	smallPNG = "\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU\x00\x00\x00\x0aIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"
	largePNG = "\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00 \x00\x00\x00\x10\x00\x08\x00\x00\x00\x00\xff\xa20\xd7"
)

func TestMetadataRefused(t *testing.T) {
	pixels := part{"application/octet-stream", "pixels", twelve}
	one := func(change func(d *dicom.Dataset)) []part { return jsonPart(t, imageOf("1.2.3.4", change)) }
	jpegOf := func(w, h int) string {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)), nil); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for _, c := range []struct {
		name        string
		study       string
		contentType string
		parts       []part
		status      int
		want        []string
	}{
		{"reference to nothing", "", ofJSON, one(nil), 409, []string{"49152", "PixelData: no part has its BulkDataURI", "1.2.3.4"}},
		{"part that nothing refers to", "", ofJSON, append(one(monochrome), pixels, part{"application/octet-stream", "other", "x"}), 202, []string{"00081199", "Content-Location of 1 parts"}},
		{"part without a location", "", ofJSON, append(one(monochrome), part{"application/octet-stream", "", twelve}), 409, []string{"Content-Location of 1 parts"}},
		{"malformed JSON", "", ofJSON, []part{{"application/dicom+json", "", "[{"}}, 400, []string{"not well-formed"}},
		{"malformed XML beside a good one", "", ofXML, append(xmlParts(t, imageOf("1.2.3.4", monochrome)), part{"application/dicom+xml", "", "<x/>"}, pixels), 202, []string{"00081199", "0008119A", "NativeDicomModel"}},
		{"no UID", "", ofJSON, append(one(func(d *dicom.Dataset) { monochrome(d); d.Delete(tag.SeriesInstanceUID) }), pixels), 409, []string{"49152", "SeriesInstanceUID"}},
		{"class that is not stored", "", ofJSON, append(one(func(d *dicom.Dataset) { monochrome(d); d.Set(tag.SOPClassUID, uid.UnifiedProcedureStepPush) }), pixels), 409, []string{"290", "SOP class"}},
		{"another study", "1.3", ofJSON, append(one(monochrome), pixels), 409, []string{"272", "another study"}},
		{"too few pixels", "", ofJSON, append(one(monochrome), part{"application/octet-stream", "pixels", "abc"}), 409, []string{"43264", "PixelData has 3 bytes, its description asks for 12"}},
		{"frames that lack", "", ofJSON, append(one(func(d *dicom.Dataset) { monochrome(d); d.Set(tag.NumberOfFrames, "3") }), part{"image/dicom-rle", "pixels", rleFrame(twelve)}), 409, []string{"43264", "1 frames came, NumberOfFrames is 3"}},
		{"stream of another size", "", ofJSON, append(one(monochrome), part{"image/jpeg", "pixels", jpegOf(5, 5)}), 409, []string{"43264", "Rows is 2, the pixels have 5"}},
		{"image type that DICOM does not know", "", ofJSON, append(one(monochrome), part{"image/webp", "pixels", twelve}), 409, []string{"49442", "image/webp"}},
		{"transfer syntax of another type", "", ofJSON, append(one(monochrome), part{"image/jpeg; transfer-syntax=1.2.840.10008.1.2.5", "pixels", twelve}), 409, []string{"49442"}},
		{"unknown transfer syntax", "", ofJSON, append(one(monochrome), part{"application/octet-stream; transfer-syntax=1.2.3", "pixels", twelve}), 409, []string{"49442"}},
		{"big endian", "", ofJSON, append(one(monochrome), part{"application/octet-stream; transfer-syntax=" + bigEndian, "pixels", twelve}), 409, []string{"49442", "little endian"}},
		{"not a PNG", "", ofJSON, append(one(nil), part{"image/png", "pixels", twelve}), 409, []string{"49152", "no PNG"}},
		{"not a GIF", "", ofJSON, append(one(nil), part{"image/gif", "pixels", twelve}), 409, []string{"49152", "no GIF"}},
		{"images that are too large together", "", ofJSON, append(one(nil), part{"image/png", "pixels", smallPNG}, part{"image/png", "pixels", largePNG}), 409, []string{"42752", "268435456 bytes"}},
		{"image that is cut", "", ofJSON, append(one(nil), part{"image/png", "pixels", largePNG}), 409, []string{"49152", "no PNG"}},
		{"refused with all that it refers to", "", ofJSON, append(one(func(d *dicom.Dataset) {
			monochrome(d)
			d.Put(&dicom.Element{Tag: tag.SpectroscopyData, VR: dicom.OF, BulkDataURI: "more"})
		}), part{"application/octet-stream", "pixels", "abc"}, part{"application/octet-stream", "more", "abcd"}), 409, []string{`"Value":[{"00000902":{"vr":"LO","Value":["PixelData has 3 bytes, its description asks for 12"]},"00081150":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.7"]},"00081155":{"vr":"UI","Value":["1.2.3.4"]},"00081197":{"vr":"US","Value":[43264]}}]}}`}},
		{"no instance", "", ofJSON, []part{{"application/dicom+json", "", "[]"}}, 400, []string{"no instance"}},
		{"sequence as bulk data", "", ofJSON, []part{{"application/dicom+json", "", `[{"00080018":{"vr":"UI","Value":["1.2.3.4"]},"00081140":{"vr":"SQ","BulkDataURI":"pixels"}}]`}, pixels}, 409, []string{"a sequence cannot be bulk data"}},
		{"value too long for its VR", "", ofJSON, []part{{"application/dicom+json", "", `[{"00080018":{"vr":"UI","Value":["1.2.3.4"]},"00104000":{"vr":"LT","BulkDataURI":"pixels"}}]`}, {"application/octet-stream", "pixels", strings.Repeat("x", 70_000)}}, 409, []string{"PatientComments", "longer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := openNode(t, stow.Config{}, archive.Config{})
			status, body := post(n.Service, c.study, c.contentType, bodyOf(c.parts...))
			if status != c.status {
				t.Errorf("status %d, want %d: %s", status, c.status, body)
			}
			for _, want := range c.want {
				if !strings.Contains(body, want) {
					t.Errorf("no %s in %s", want, body)
				}
			}
		})
	}
}

func TestSinglePartOfMetadata(t *testing.T) {
	whole := func(d *dicom.Dataset) { d.SetVR(tag.PixelData, dicom.OW, []byte(twelve)) }
	for _, c := range []struct {
		name, contentType, body string
		status                  int
	}{
		{"JSON", "application/dicom+json", jsonPart(t, imageOf("1.2.3.4", whole), imageOf("1.2.3.5", whole))[0].body, 200},
		{"JSON, one object", "application/dicom+json", strings.Trim(jsonPart(t, imageOf("1.2.3.4", whole))[0].body, "[]"), 200},
		{"XML", "application/dicom+xml", xmlParts(t, imageOf("1.2.3.4", whole))[0].body, 200},
		{"reference", "application/dicom+json", jsonPart(t, imageOf("1.2.3.4", nil))[0].body, 409},
		{"cut", "application/dicom+json", "[{", 400},
		{"empty", "application/dicom+json", "", 400},
		{"no instance", "application/dicom+json", "[]", 400},
		{"JSON of no name", "application/json", "[]", 415},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := openNode(t, stow.Config{}, archive.Config{})
			status, body := post(n.Service, "", c.contentType, c.body)
			if status != c.status {
				t.Fatalf("status %d, want %d: %s", status, c.status, body)
			}
			if status == 200 {
				f := n.only(t, "1.2.3.4")
				if got, err := f.Value(f.Dataset.Get(tag.PixelData)); err != nil || string(got) != twelve {
					t.Errorf("pixels %q, %v", got, err)
				}
			}
		})
	}
}

// TestCutMetadata: an instance is stored only when the body that brings it is whole.
func TestCutMetadata(t *testing.T) {
	whole := bodyOf(append(jsonPart(t, imageOf("1.2.3.4", monochrome)), part{"application/octet-stream", "pixels", twelve})...)
	for name, body := range map[string]string{"in the metadata": whole[:100], "in the bulk data": whole[:len(whole)-20], "before the end": strings.TrimSuffix(whole, "\r\n--b--\r\n")} {
		n := openNode(t, stow.Config{}, archive.Config{})
		status, answer := post(n.Service, "", ofJSON, body)
		found, err := n.archive.Instances(context.Background(), dicomweb.Ref{Study: "1.2"})
		if status != 400 || !strings.Contains(answer, "cut short") || dicomweb.KindOf(err) != dicomweb.NotFound {
			t.Errorf("%s: %d %s, %d stored, %v; want 400 and none", name, status, answer, len(found), err)
		}
	}
}

// TestBulkDataStayOnDisk: the pixels of a request are not held in memory, and the spool is empty afterwards.
func TestBulkDataStayOnDisk(t *testing.T) {
	const size = 64 << 20
	dir := t.TempDir()
	n := openNode(t, stow.Config{SpoolDir: dir}, archive.Config{})
	d := imageOf("1.2.3.4", nil)
	head := strings.TrimSuffix(bodyOf(append(jsonPart(t, d), part{"application/octet-stream", "pixels", ""})...), "\r\n--b--\r\n")
	pixels := rand.NewChaCha8([32]byte{})
	r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(head), io.LimitReader(pixels, size), strings.NewReader("\r\n--b--\r\n")))
	r.Header.Set("Content-Type", ofJSON)
	w := httptest.NewRecorder()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := n.Store(w, r, dicomweb.Ref{})
	runtime.ReadMemStats(&after)
	if err != nil || w.Code != 200 {
		t.Fatalf("%d %v %s", w.Code, err, w.Body)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
		t.Errorf("%d bytes were allocated for %d bytes of pixels", got, size)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%d files are left in the spool, %v", len(left), err)
	}
	f := n.only(t, "1.2.3.4")
	if e := f.Dataset.Get(tag.PixelData); e.Span.Length != size {
		t.Errorf("%d bytes of pixels, want %d", e.Span.Length, size)
	}
}

// TestMetadataGivesTheObjectBack: an object that is taken apart as Retrieve does it, in JSON or XML, comes together with
// the values that it had.
func TestMetadataGivesTheObjectBack(t *testing.T) {
	d := imageOf("1.2.3.4", monochrome)
	d.SetVR(tag.PixelData, dicom.OW, []byte(twelve))
	d.SetVR(0x00090010, dicom.LO, "EXAMPLE")
	d.SetVR(0x00091001, dicom.OB, bytes.Repeat([]byte{1, 2, 3}, 1000))
	d.SetVR(0x00091002, dicom.FD, 0.1, -1e300)
	item := dicom.New()
	item.SetVR(tag.RedPaletteColorLookupTableData, dicom.OW, bytes.Repeat([]byte{4, 5}, 1000))
	item.Set(tag.ImageComments, "ä <&> \"b\"\r\nc")
	d.SetItems(tag.ReferencedImageSequence, dicom.New(), item)
	var file bytes.Buffer
	if err := dicom.Write(&file, d, uid.ExplicitVRLittleEndian); err != nil {
		t.Fatal(err)
	}
	f, err := dicom.Scan(bytes.NewReader(file.Bytes()), int64(file.Len()), dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := f.AppendJSON(nil, dicom.JSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for form, write := range map[string]func([]byte, dicom.JSONOptions) ([]byte, error){ofJSON: f.AppendJSON, ofXML: f.AppendXML} {
		n := openNode(t, stow.Config{}, archive.Config{})
		var bulk []part
		b, err := write(nil, dicom.JSONOptions{BulkDataURI: func(path string, e *dicom.Element) string {
			v, err := f.Value(e)
			if err != nil {
				t.Fatal(err)
			}
			bulk = append(bulk, part{"application/octet-stream", "http://elsewhere/" + path, string(v)})
			return "http://elsewhere/" + path
		}})
		if err != nil || len(bulk) != 3 {
			t.Fatalf("%d bulk data, %v", len(bulk), err)
		}
		media := map[string]string{ofJSON: "application/dicom+json", ofXML: "application/dicom+xml"}[form]
		if status, body := post(n.Service, "1.2", form, bodyOf(append([]part{{media, "", string(b)}}, bulk...)...)); status != 200 {
			t.Fatalf("%s: %d %s", form, status, body)
		}
		got, err := n.only(t, "1.2.3.4").AppendJSON(nil, dicom.JSONOptions{})
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %v\ngot  %s\nwant %s", form, err, got, want)
		}
	}
}

// FuzzMetadata: whatever comes as metadata with bulk data is answered, and what is told as stored can be read.
func FuzzMetadata(f *testing.F) {
	pixels := part{"image/png", "pixels", twelve}
	f.Add(ofJSON, bodyOf(append(jsonPart(f, imageOf("1.2.3.4", monochrome)), pixels)...))
	f.Add(ofXML, bodyOf(append(xmlParts(f, imageOf("1.2.3.4", monochrome)), pixels)...))
	f.Add("application/dicom+json", jsonPart(f, imageOf("1.2.3.4", func(d *dicom.Dataset) { d.SetVR(tag.PixelData, dicom.OW, []byte{1, 2}) }))[0].body)
	var stream bytes.Buffer
	if err := jpeg.Encode(&stream, image.NewGray(image.Rect(0, 0, 2, 2)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(ofJSON, bodyOf(append(jsonPart(f, imageOf("1.2.3.4", nil)), part{"image/jpeg", "pixels", stream.String()})...))
	f.Fuzz(func(t *testing.T, contentType, body string) {
		a := &scanned{}
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header = http.Header{"Content-Type": {contentType}}
		w := httptest.NewRecorder()
		if err := service(t, a).Store(w, r, dicomweb.Ref{}); err != nil {
			if dicomweb.KindOf(err) == dicomweb.Internal {
				t.Errorf("%q %q: %v", contentType, body, err)
			}
			return
		}
		if w.Code >= 500 {
			t.Errorf("%q %q: %d %s", contentType, body, w.Code, w.Body)
		}
	})
}

// scanned is an archive that reads what it is given as the real one does, and keeps nothing.
type scanned struct{}

func (scanned) Put(_ context.Context, r io.Reader, _ archive.PutOptions) (rec archive.Receipt, err error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return rec, err
	}
	f, err := dicom.Scan(bytes.NewReader(b), int64(len(b)), dicom.Limits{})
	if err != nil {
		return rec, err
	}
	if rec.Ref.Study, rec.Ref.Series, rec.Ref.Instance, rec.SOPClass, err = f.Ref(); err != nil {
		return rec, err
	}
	rec.Outcome = archive.Stored
	return rec, nil
}

// FuzzImage: no stream of pixels, whatever its type, makes the node fail or take much memory.
func FuzzImage(f *testing.F) {
	f.Add("image/png", []byte(smallPNG))
	f.Add("image/gif", []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"))
	f.Add("image/jp2", []byte("\x00\x00\x00\x0CjP  \r\n\x87\n\x00\x00\x00\x10jp2c\xff\x4f\xff\x51\x00\x04\x00\x00"))
	f.Add("image/jls", []byte("\xff\xd8\xff\xf7\x00\x0b\x08\x00\x02\x00\x02\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00\x00\xff\xd9"))
	f.Add("image/jls", []byte("\xff\xd8\xff\xf7\x00\x0b\x00\x00\x02\x00\x02\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00\x00\xff\xd9")) // a precision of 0 bits
	f.Fuzz(func(t *testing.T, media string, stream []byte) {
		if strings.ContainsAny(media, "\r\n") || bytes.Contains(stream, []byte("--b")) {
			return
		}
		body := bodyOf(append(jsonPart(t, imageOf("1.2.3.4", nil)), part{media, "pixels", string(stream)})...)
		status, answer := post(service(t, scanned{}), "", ofJSON, body)
		if status >= 500 {
			t.Errorf("%q % x: %d %s", media, stream, status, answer)
		}
	})
}
