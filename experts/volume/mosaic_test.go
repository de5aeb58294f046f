package volume_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/experts/volume"
)

// csa writes a CSA header of entries with one text per value, as both generations of software do.
func csa(second bool, entries map[string][]string, names ...string) []byte {
	var b []byte
	number := func(n int) { b = binary.LittleEndian.AppendUint32(b, uint32(int32(n))) }
	if second {
		b = append(b, "SV10\x04\x03\x02\x01"...)
	}
	number(len(names))
	number(77)
	offset := len(entries[names[0]])
	for _, name := range names {
		values := entries[name]
		b = append(b, name...)
		b = append(b, make([]byte, 64-len(name))...)
		number(len(values))
		b = append(b, "FD\x00\x00"...)
		number(0)
		number(len(values))
		number(77)
		for _, v := range values {
			v += "\x00"
			if second {
				number(len(v))
				number(len(v))
			} else {
				number(len(v) + offset)
				number(0)
			}
			number(77)
			number(len(v))
			b = append(b, v...)
			b = append(b, make([]byte, (4-len(v)%4)%4)...)
		}
	}
	return b
}

// mosaicHeader is that of a Siemens mosaic of n tiles of 4 x 4 pixels of 2 mm.
func mosaicHeader(n int, normal string, second bool) *dicom.Dataset {
	h := dicom.New()
	h.Set(tag.ImageType, "ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC")
	h.Set(tag.Rows, 12)
	h.Set(tag.Columns, 12)
	h.Set(tag.PixelSpacing, 2, 2)
	h.Set(tag.SliceThickness, 3)
	h.Set(tag.SpacingBetweenSlices, 5)
	h.Set(tag.ImageOrientationPatient, 1, 0, 0, 0, 1, 0)
	h.Set(tag.ImagePositionPatient, -12, -12, 10)
	h.SetVR(tag.New(0x0029, 0x10), dicom.LO, "SIEMENS CSA HEADER")
	h.SetVR(tag.New(0x0029, 0x1010), dicom.OB, csa(second, map[string][]string{
		"EchoLinePosition": {"1", "2"}, "NumberOfImagesInMosaic": {fmt.Sprint(n)}, "SliceNormalVector": strings.Fields(normal),
	}, "EchoLinePosition", "NumberOfImagesInMosaic", "SliceNormalVector"))
	return h
}

// uihMosaic is United Imaging's: an item for each of n tiles.
func uihMosaic(rows, columns, n int) *dicom.Dataset {
	h := mosaicHeader(n, "0 0 1", true)
	h.Set(tag.ImageType, "ORIGINAL", "PRIMARY", "M", "VFRAME")
	h.Set(tag.Rows, rows)
	h.Set(tag.Columns, columns)
	h.Set(tag.AcquisitionMatrix, 4, 0, 0, 4)
	h.Delete(tag.ImagePositionPatient)
	h.SetVR(tag.New(0x0065, 0x10), dicom.LO, "Image Private Header")
	var items []*dicom.Dataset
	for k := range n {
		item := dicom.New()
		item.Set(tag.ImagePositionPatient, -4, -4, 10-5*k)
		items = append(items, item)
	}
	h.Put(&dicom.Element{Tag: tag.New(0x0065, 0x1051), VR: dicom.SQ, Items: items})
	return h
}

func TestMosaicPlaces(t *testing.T) {
	for _, tc := range []struct {
		name        string
		header      *dicom.Dataset
		tiles       int
		first, last volume.Vec
	}{
		{"Siemens", mosaicHeader(7, "0 0 1", true), 7, volume.Vec{-4, -4, 10}, volume.Vec{-4, -4, 40}},
		{"Siemens, older header", mosaicHeader(9, "0 0 1", false), 9, volume.Vec{-4, -4, 10}, volume.Vec{-4, -4, 50}},
		{"Siemens, stacked against the normal", mosaicHeader(7, "0 0 -1", true), 7, volume.Vec{-4, -4, 10}, volume.Vec{-4, -4, -20}},
		{"UIH", uihMosaic(8, 12, 5), 5, volume.Vec{-4, -4, 10}, volume.Vec{-4, -4, -10}},
	} {
		m, err := volume.MosaicOf(tc.header)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if len(m.Tiles) != tc.tiles || m.Tiles[0].Position != tc.first || m.Tiles[tc.tiles-1].Position != tc.last || m.Tiles[0].Columns != 4 || m.Tiles[0].Rows != 4 {
			t.Errorf("%s: %d tiles of %d x %d from %v to %v, want %d of 4 x 4 from %v to %v", tc.name, len(m.Tiles), m.Tiles[0].Columns, m.Tiles[0].Rows,
				m.Tiles[0].Position, m.Tiles[len(m.Tiles)-1].Position, tc.tiles, tc.first, tc.last)
		}
	}
}

// TestMosaicDefects: what does not tell the tiles' number, place and order is refused.
func TestMosaicDefects(t *testing.T) {
	edited := func(h *dicom.Dataset, edit func(h *dicom.Dataset)) *dicom.Dataset { edit(h); return h }
	for _, tc := range []struct {
		name   string
		header *dicom.Dataset
		want   string
	}{
		{"private groups stripped", edited(mosaicHeader(7, "0 0 1", true), func(h *dicom.Dataset) { h.Delete(tag.New(0x0029, 0x10)) }), "number of tiles"},
		{"header cut off", edited(mosaicHeader(7, "0 0 1", true), func(h *dicom.Dataset) {
			e := *h.Get(tag.New(0x0029, 0x1010))
			e.Value = e.Value[:len(e.Value)-30]
			h.Put(&e)
		}), "direction"},
		{"no normal", mosaicHeader(7, "", true), "direction"},
		{"another normal", mosaicHeader(7, "0 1 0", true), "along their normal"},
		{"tiles that do not divide the image", mosaicHeader(17, "0 0 1", true), "do not divide"},
		{"no tiles", mosaicHeader(0, "0 0 1", true), "number of tiles"},
		{"no rows", edited(mosaicHeader(7, "0 0 1", true), func(h *dicom.Dataset) { h.Delete(tag.Rows) }), "Rows"},
		{"UIH, no position", edited(uihMosaic(8, 12, 5), func(h *dicom.Dataset) {
			h.Get(tag.New(0x0065, 0x1051)).Items[3].Delete(tag.ImagePositionPatient)
		}), "Image Position"},
		{"UIH, more than one layout", edited(uihMosaic(12, 12, 4), func(h *dicom.Dataset) { h.Delete(tag.AcquisitionMatrix) }), "do not divide"},
	} {
		if m, err := volume.MosaicOf(tc.header); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, %v; want an error with %q", tc.name, m != nil, err, tc.want)
		}
	}
}

func TestMosaicCrop(t *testing.T) {
	m, err := volume.MosaicOf(mosaicHeader(7, "0 0 1", true))
	if err != nil {
		t.Fatal(err)
	}
	image := make([]int32, 144)
	for i := range image {
		image[i] = int32(100*(i/12) + i%12)
	}
	got := m.Crop(nil, image, 5) // the third in the second row
	want := []int32{408, 409, 410, 411, 508, 509, 510, 511, 608, 609, 610, 611, 708, 709, 710, 711}
	if !slices.Equal(got, want) {
		t.Errorf("tile 6 is %v, want %v", got, want)
	}
}

// FuzzMosaic gives any bytes as the private header: nothing may panic, and tiles lie inside their image.
func FuzzMosaic(f *testing.F) {
	for _, h := range []*dicom.Dataset{mosaicHeader(7, "0 0 1", true), mosaicHeader(9, "0 0 -1", false)} {
		f.Add(h.Get(tag.New(0x0029, 0x1010)).Value, 12, 12)
	}
	f.Add([]byte("SV10\x04\x03\x02\x01\xff\xff\xff\x7f\x4d\x00\x00\x00"), 384, 384)
	f.Fuzz(func(t *testing.T, header []byte, rows, columns int) {
		h := mosaicHeader(7, "0 0 1", true)
		h.Set(tag.Rows, min(max(rows, 0), 65535))
		h.Set(tag.Columns, min(max(columns, 0), 65535))
		h.SetVR(tag.New(0x0029, 0x1010), dicom.OB, header)
		m, err := volume.MosaicOf(h)
		if err != nil {
			return
		}
		image := make([]int32, m.Rows*m.Columns)
		for k := range m.Tiles {
			if got := m.Crop(nil, image, k); len(got) != m.Tiles[k].Columns*m.Tiles[k].Rows {
				t.Fatalf("tile %d has %d samples", k, len(got))
			}
		}
	})
}
