package related

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"mome/dicomweb/mediatype"
)

// Writer writes a multipart/related body. Viewers look for `Content-Type:` in exactly this case and search the
// boundary within the pixel data: hence the spelling and the length of the boundary. It is not safe for concurrent use.
type Writer struct {
	w        io.Writer
	boundary string
	parts    int
}

// NewWriter returns a writer with a random boundary of 48 characters: 192 bits, which no pixel data holds by chance.
func NewWriter(w io.Writer) *Writer {
	var b [24]byte
	rand.Read(b[:]) // crypto/rand never fails
	return &Writer{w: w, boundary: hex.EncodeToString(b[:])}
}

// ContentType returns the header of the whole body, whose parts are of type part, named without its parameters.
func (w *Writer) ContentType(part mediatype.Type) string {
	return mediatype.New(mediatype.Related, "type", part.Name, "boundary", w.boundary).String()
}

// Header is the header of a part. Values with line breaks are refused.
type Header struct {
	Type     mediatype.Type // with its transfer-syntax: it tells a viewer which decoder to use
	Location string         // Content-Location, "" for none
}

// Part starts the next part; what is written to the writer that it returns is the part's body.
func (w *Writer) Part(h Header) (io.Writer, error) {
	text := w.head(h)
	if strings.Count(text, "\n") != strings.Count(text, "\r\n") || strings.ContainsAny(h.Location, "\r\n") {
		return nil, fmt.Errorf("part header %q holds a line break", h.Location)
	}
	if _, err := io.WriteString(w.w, text); err != nil {
		return nil, err
	}
	w.parts++
	return w.w, nil
}

func (w *Writer) head(h Header) string {
	var b strings.Builder
	if w.parts > 0 {
		b.WriteString("\r\n")
	}
	b.WriteString("--" + w.boundary + "\r\nContent-Type: " + h.Type.String() + "\r\n")
	if h.Location != "" {
		b.WriteString("Content-Location: " + h.Location + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

func (w *Writer) tail() string { return "\r\n--" + w.boundary + "--\r\n" }

// Close writes the closing boundary. A body needs at least one part.
func (w *Writer) Close() error {
	_, err := io.WriteString(w.w, w.tail())
	return err
}

// Size returns the length in bytes of a body with the given parts of the given sizes, for Content-Length. It is to
// be called before the first part.
func (w *Writer) Size(headers []Header, sizes []int64) int64 {
	dry := Writer{boundary: w.boundary}
	total := int64(len(dry.tail()))
	for i, h := range headers {
		total += int64(len(dry.head(h))) + sizes[i]
		dry.parts++
	}
	return total
}
