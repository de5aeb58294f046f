package stow

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
)

// TestDescribeStream reads headers of streams as ISO/IEC 10918-1, 14495-1, 15444-1 and -15 lay them out.
func TestDescribeStream(t *testing.T) {
	jpeg := func(sof byte, precision int, components, scan string) string {
		n := strings.Count(components, ";")
		head := fmt.Sprintf("\xff\xd8\xff\xe0\x00\x04ab\xff%c", 0)
		head = strings.TrimSuffix(head, "\x00") + string([]byte{sof, 0, byte(8 + 3*n), byte(precision), 0, 2, 0, 3, byte(n)})
		for i := range n {
			sampling := byte(0x11)
			if components[2*i] == '2' {
				sampling = 0x22
			}
			head += string([]byte{byte(i + 1), sampling, 0})
		}
		head += string([]byte{0xFF, 0xDA, 0, byte(6 + 2*n), byte(n)})
		for i := range n {
			head += string([]byte{byte(i + 1), 0})
		}
		return head + scan
	}
	j2k := func(cap string, bits byte, components int, mct, transform byte) string {
		siz := "\xff\x51" + string([]byte{0, byte(38 + 3*components)}) + "\x00\x00" + "\x00\x00\x00\x07\x00\x00\x00\x06\x00\x00\x00\x04\x00\x00\x00\x04" +
			strings.Repeat("\x00", 16) + string([]byte{0, byte(components)}) + strings.Repeat(string([]byte{bits})+"\x01\x01", components)
		return "\xff\x4f" + siz + cap + "\xff\x52\x00\x0c\x00\x00\x00\x01" + string([]byte{mct}) + "\x05\x04\x04\x00" + string([]byte{transform})
	}
	for _, c := range []struct {
		name, stream, want string
	}{
		{"baseline", jpeg(0xC0, 8, "1;", "\x00\x3f\x00"), "1.2.840.10008.1.2.4.50 2x3x1 8 MONOCHROME2 lossy"},
		{"baseline, subsampled", jpeg(0xC0, 8, "2;1;1;", "\x00\x3f\x00"), "1.2.840.10008.1.2.4.50 2x3x3 8 YBR_FULL_422 lossy"},
		{"baseline, full", jpeg(0xC0, 8, "1;1;1;", "\x00\x3f\x00"), "1.2.840.10008.1.2.4.50 2x3x3 8 YBR_FULL lossy"},
		{"baseline, RGB", strings.Replace(jpeg(0xC0, 8, "1;1;1;", "\x00\x3f\x00"), "\xff\xe0\x00\x04ab", "\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00", 1), "1.2.840.10008.1.2.4.50 2x3x3 8 RGB lossy"},
		{"extended", jpeg(0xC1, 12, "1;", "\x00\x3f\x00"), "1.2.840.10008.1.2.4.51 2x3x1 12 MONOCHROME2 lossy"},
		{"progressive", jpeg(0xC2, 8, "1;", "\x00\x3f\x00"), " 0x0x0 0 "},
		{"lossless, first predictor", jpeg(0xC3, 16, "1;", "\x01\x00\x00"), "1.2.840.10008.1.2.4.70 2x3x1 16 MONOCHROME2"},
		{"lossless, sixth predictor", jpeg(0xC3, 16, "1;", "\x06\x00\x00"), "1.2.840.10008.1.2.4.57 2x3x1 16 MONOCHROME2"},
		{"JPEG-LS", jpeg(0xF7, 12, "1;", "\x00\x00\x00"), "1.2.840.10008.1.2.4.80 2x3x1 12 MONOCHROME2"},
		{"JPEG-LS, near", jpeg(0xF7, 12, "1;1;1;", "\x02\x00\x00"), "1.2.840.10008.1.2.4.81 2x3x3 12 RGB lossy"},
		{"JPEG 2000", j2k("", 11, 1, 0, 1), "1.2.840.10008.1.2.4.90 2x3x1 12 MONOCHROME2"},
		{"JPEG 2000, deep", j2k("", 23, 1, 0, 1), "1.2.840.10008.1.2.4.90 2x3x1 24 MONOCHROME2"},
		{"JPEG 2000, signed", j2k("", 0x80|11, 1, 0, 1), "1.2.840.10008.1.2.4.90 2x3x1 12 MONOCHROME2 signed"},
		{"JPEG 2000, lossy colours", j2k("", 7, 3, 1, 0), "1.2.840.10008.1.2.4.91 2x3x3 8 YBR_ICT lossy"},
		{"JPEG 2000, lossless colours", j2k("", 7, 3, 1, 1), "1.2.840.10008.1.2.4.90 2x3x3 8 YBR_RCT"},
		{"HTJ2K", j2k("\xff\x50\x00\x08\x00\x02\x00\x00\x00\x00", 7, 1, 0, 1), "1.2.840.10008.1.2.4.201 2x3x1 8 MONOCHROME2"},
		{"cut", jpeg(0xC0, 8, "1;", "\x00\x3f\x00")[:20], " 0x0x0 0 "},
		{"something else", "hello", " 0x0x0 0 "},
	} {
		d := describeStream([]byte(c.stream))
		got := fmt.Sprintf("%s %dx%dx%d %d %s", d.transferSyntax, d.rows, d.columns, d.samples, d.bits, d.photometric)
		if d.lossy {
			got += " lossy"
		}
		if d.signed {
			got += " signed"
		}
		if got != c.want {
			t.Errorf("%s: got  %s\nwant %s", c.name, got, c.want)
		}
		image := dicom.New()
		if err := d.fill(image); err != nil || image.IntOr(tag.BitsAllocated, 8) < d.bits {
			t.Errorf("%s: %v, Bits Allocated is %d for %d", c.name, err, image.IntOr(tag.BitsAllocated, 8), d.bits)
		}
	}
}

// TestWithoutBoxes: DICOM takes the codestream of a JP2 file, not the file.
func TestWithoutBoxes(t *testing.T) {
	const signature = "\x00\x00\x00\x0CjP  \r\n\x87\n"
	for _, c := range []struct{ name, in, want string }{
		{"codestream", "\xff\x4f\xff\x51abc", "\xff\x4f\xff\x51abc"},
		{"file", signature + "\x00\x00\x00\x09jp2hx" + "\x00\x00\x00\x0bjp2cabc" + "\x00\x00\x00\x08more", "abc"},
		{"to the end", signature + "\x00\x00\x00\x00jp2cabc", "abc"},
		{"64 bits", signature + "\x00\x00\x00\x01jp2c\x00\x00\x00\x00\x00\x00\x00\x13abc", "abc"},
		{"box beyond the end", signature + "\x00\x00\x01\x00jp2cabc", signature + "\x00\x00\x01\x00jp2cabc"},
		{"box of no length", signature + "\x00\x00\x00\x02jp2cabc", signature + "\x00\x00\x00\x02jp2cabc"},
		{"no codestream", signature, signature},
	} {
		got, err := io.ReadAll(withoutBoxes(io.NewSectionReader(strings.NewReader(c.in), 0, int64(len(c.in)))))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

// TestMediaTypes: each compressed media type of PS3.18 table 8.7.3-4 and -5 has transfer syntaxes that PS3.6 lists.
func TestMediaTypes(t *testing.T) {
	for _, media := range []string{"image/jpeg", "image/dicom-rle", "image/jls", "image/jp2", "image/jpx", "image/jphc", "image/jxl", "video/mpeg2", "video/mp4", "video/h265"} {
		list := syntaxes(media)
		if len(list) == 0 {
			t.Errorf("%s has none", media)
		}
		for _, s := range list {
			if e, ok := uid.Lookup(s); !ok || e.Kind != "Transfer Syntax" || isVideo(s) != (strings.HasPrefix(media, "video/") || media == "image/jpx") {
				t.Errorf("%s: %s is %+v, video %t", media, s, e, isVideo(s))
			}
		}
	}
}
