package wado_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
	"mome/dicomweb/wado"
)

const bigEndian = "1.2.840.10008.1.2.2"

var ref = dicomweb.Ref{Study: "1.2.3", Series: "1.2.3.4", Instance: "1.2.3.4.5"}

// image returns an image of the given shape with native pixel data.
func image(rows, columns, frames, allocated int, vr dicom.VR, value []byte) *dicom.Dataset {
	d := dicom.New()
	d.Set(tag.SOPClassUID, uid.MRImageStorage)
	d.Set(tag.SOPInstanceUID, ref.Instance)
	d.Set(tag.StudyInstanceUID, ref.Study)
	d.Set(tag.SeriesInstanceUID, ref.Series)
	d.Set(tag.SamplesPerPixel, 1)
	d.Set(tag.PhotometricInterpretation, "MONOCHROME2")
	d.Set(tag.NumberOfFrames, frames)
	d.Set(tag.Rows, rows)
	d.Set(tag.Columns, columns)
	d.Set(tag.BitsAllocated, allocated)
	d.Set(tag.BitsStored, allocated)
	d.Set(tag.HighBit, allocated-1)
	d.Set(tag.PixelRepresentation, 0)
	if value != nil {
		d.SetVR(tag.PixelData, vr, value)
	}
	return d
}

// encode writes d as a file in a transfer syntax that dicom.Write does not write: big endian, deflated, or with the
// fragments as encapsulated pixel data.
func encode(d *dicom.Dataset, syntax string, fragments ...string) []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	if syntax == bigEndian {
		order = binary.BigEndian
	}
	body := encodeDataset(nil, d, order)
	if len(fragments) > 0 {
		body = append(body, "\xE0\x7F\x10\x00OB\x00\x00\xFF\xFF\xFF\xFF\xFE\xFF\x00\xE0\x00\x00\x00\x00"...)
		for _, f := range fragments {
			body = binary.LittleEndian.AppendUint32(append(body, "\xFE\xFF\x00\xE0"...), uint32(len(f)))
			body = append(body, f...)
		}
		body = append(body, "\xFE\xFF\xDD\xE0\x00\x00\x00\x00"...)
	}
	if syntax == uid.DeflatedExplicitVRLittleEndian {
		var b bytes.Buffer
		z, _ := flate.NewWriter(&b, flate.BestSpeed)
		z.Write(body)
		z.Close()
		body = b.Bytes()
	}
	meta := dicom.New()
	meta.Set(tag.MediaStorageSOPClassUID, d.String(tag.SOPClassUID))
	meta.Set(tag.MediaStorageSOPInstanceUID, d.String(tag.SOPInstanceUID))
	meta.Set(tag.TransferSyntaxUID, syntax)
	head := encodeDataset(nil, meta, binary.LittleEndian)
	length := dicom.New()
	length.Set(tag.FileMetaInformationGroupLength, len(head))
	out := append(make([]byte, 128), "DICM"...)
	return append(append(encodeDataset(out, length, binary.LittleEndian), head...), body...)
}

func encodeDataset(dst []byte, d *dicom.Dataset, order binary.AppendByteOrder) []byte {
	for e := range d.All() {
		value := slices.Clone(e.Value)
		if order == binary.AppendByteOrder(binary.BigEndian) {
			word := map[dicom.VR]int{dicom.US: 2, dicom.OW: 2, dicom.FD: 8, dicom.SL: 4}[e.VR]
			for v := value; word > 0 && len(v) >= word; v = v[word:] {
				slices.Reverse(v[:word])
			}
		}
		dst = order.AppendUint16(order.AppendUint16(dst, e.Tag.Group()), e.Tag.Element())
		dst = append(dst, e.VR...)
		switch e.VR {
		case dicom.OB, dicom.OF, dicom.OV, dicom.OW, dicom.UN, dicom.SQ:
			dst = order.AppendUint32(append(dst, 0, 0), uint32(len(value)))
		default:
			dst = order.AppendUint16(dst, uint16(len(value)))
		}
		dst = append(dst, value...)
	}
	return dst
}

// service returns a service over an archive that holds the files.
func service(t *testing.T, files ...[]byte) *wado.Service {
	t.Helper()
	a, err := archive.Open(context.Background(), archive.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	for _, f := range files {
		if _, err := a.Put(context.Background(), bytes.NewReader(f), archive.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := wado.New(wado.Config{Archive: a, BaseURL: func(*http.Request) string { return "http://node/dicom-web" }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// call runs a handler; the status is that of the error where it returns one.
func call(h func(http.ResponseWriter, *http.Request, dicomweb.Ref) error, ref dicomweb.Ref, accept string, values ...string) (*httptest.ResponseRecorder, int) {
	r := httptest.NewRequest("GET", "/", nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	for i := 0; i+1 < len(values); i += 2 {
		r.SetPathValue(values[i], values[i+1])
	}
	w := httptest.NewRecorder()
	if err := h(w, r, ref); err != nil {
		return w, dicomweb.KindOf(err).Status()
	}
	return w, w.Code
}

// parts returns the bodies and types of the answer's parts; the answer must tell its length.
func parts(t *testing.T, w *httptest.ResponseRecorder) (bodies, types []string) {
	t.Helper()
	if got := w.Header().Get("Content-Length"); got != fmt.Sprint(w.Body.Len()) {
		t.Errorf("Content-Length %s, the body has %d bytes", got, w.Body.Len())
	}
	return partsOf(t, w)
}

func partsOf(t *testing.T, w *httptest.ResponseRecorder) (bodies, types []string) {
	t.Helper()
	ct, err := mediatype.Parse(w.Header().Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if ct.Name != mediatype.Related {
		return []string{w.Body.String()}, []string{ct.String()}
	}
	r, err := related.NewReader(w.Body, ct.Param("boundary"), related.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		p, err := r.Next()
		if err == io.EOF {
			return bodies, types
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		bodies, types = append(bodies, string(b)), append(types, p.Header.Get("Content-Type"))
		if name, _, _ := bytes.Cut([]byte(types[len(types)-1]), []byte(";")); string(name) != ct.Param("type") {
			t.Errorf("a part of %s in a body of %s", name, ct.Param("type"))
		}
	}
}
