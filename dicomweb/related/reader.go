// Package related reads and writes multipart/related bodies (RFC 2387, RFC 2046 section 5.1) as a stream: one part at
// a time, memory bounded by the part's header. The reader takes what DICOMweb clients send - preamble and epilogue,
// NUL bytes after the last boundary, bare line feeds, lower-case and folded headers - and tells a body that was cut
// short from one that ended. The writer spells its headers as the strictest viewers compare them. Neither decodes
// a transfer encoding: DICOMweb bodies are binary.
package related

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strings"
)

// Limits bound what a body may make the reader hold.
type Limits struct {
	HeaderBytes int // of one part; 0 means 16 KiB
	Parts       int // 0 means 100,000
}

func (l Limits) withDefaults() Limits {
	if l.HeaderBytes == 0 {
		l.HeaderBytes = 16 << 10
	}
	if l.Parts == 0 {
		l.Parts = 100_000
	}
	return l
}

// ErrCut means that the body ended before its closing boundary; whole parts before it were delivered.
var ErrCut = errors.New("the body ends before its closing boundary")

// ErrMalformed means that the body is no multipart message with the boundary named.
var ErrMalformed = errors.New("malformed multipart body")

// ErrParts means that the body has more parts than Limits allows.
var ErrParts = errors.New("too many parts")

const (
	bufferSize  = 64 << 10
	maxBoundary = 256 // RFC 2046 allows 70; some clients send more
)

// Reader reads the parts of a body in order. It is not safe for concurrent use.
type Reader struct {
	buf      *bufio.Reader
	lim      Limits
	dash     []byte // "--boundary"
	end      []byte // what ends a part's body: line end and dash
	parts    int
	part     *Part
	finished bool
	err      error
}

// NewReader returns a reader of body. The boundary is that of the Content-Type, without quotes.
func NewReader(body io.Reader, boundary string, lim Limits) (*Reader, error) {
	if boundary == "" || len(boundary) > maxBoundary || strings.ContainsAny(boundary, "\r\n") {
		return nil, fmt.Errorf("%w: boundary of %d characters", ErrMalformed, len(boundary))
	}
	dash := []byte("--" + boundary)
	return &Reader{buf: bufio.NewReaderSize(body, bufferSize), lim: lim.withDefaults(), dash: dash}, nil
}

// Part is one part of the body; reading it ends with io.EOF at the next boundary, or with ErrCut.
type Part struct {
	Header textproto.MIMEHeader
	r      *Reader
	began  bool
	clear  int   // bytes at the front of the buffer that are known to be the part's
	err    error // io.EOF once the part has ended
}

// Next returns the next part; what is left of the part before is skipped. It returns io.EOF after the closing
// boundary, ErrCut when the body ends without one, ErrMalformed, ErrParts, or the error of the body's reader. An error stays.
func (r *Reader) Next() (*Part, error) {
	if r.err != nil {
		return nil, r.err
	}
	p, err := r.next()
	if err != nil {
		r.err = err
		return nil, err
	}
	return p, nil
}

func (r *Reader) next() (*Part, error) {
	if r.part == nil {
		if err := r.preamble(); err != nil {
			return nil, err
		}
	} else if _, err := io.Copy(io.Discard, r.part); err != nil {
		return nil, err
	}
	switch {
	case r.finished:
		return nil, io.EOF
	case r.err != nil:
		return nil, r.err
	}
	if r.parts++; r.parts > r.lim.Parts {
		return nil, fmt.Errorf("%w: more than %d", ErrParts, r.lim.Parts)
	}
	r.part = &Part{r: r}
	header, err := r.header()
	if err != nil {
		return nil, err
	}
	r.part.Header = header
	return r.part, nil
}

// preamble skips to the first boundary, which must begin a line, and learns from it how this body ends its lines.
func (r *Reader) preamble() error {
	atLineStart := true
	for {
		line, err := r.buf.ReadSlice('\n')
		if atLineStart {
			if kind := r.boundary(line); kind != noBoundary {
				if kind == lastBoundary {
					r.finished = true
					return nil
				}
				if err != nil {
					return cut(err)
				}
				lineEnd := "\n"
				if bytes.HasSuffix(line, []byte("\r\n")) {
					lineEnd = "\r\n"
				}
				r.end = append([]byte(lineEnd), r.dash...)
				return nil
			}
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			atLineStart = false
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%w: the boundary that the Content-Type names does not occur", ErrMalformed)
		case err != nil:
			return err
		default:
			atLineStart = true
		}
	}
}

type boundaryKind int

const (
	noBoundary boundaryKind = iota
	partBoundary
	lastBoundary
)

// boundary tells what a line (with its line end, if it has come) is. After the closing boundary anything may follow:
// the npm client adds NUL bytes.
func (r *Reader) boundary(line []byte) boundaryKind {
	rest, ok := bytes.CutPrefix(line, r.dash)
	switch {
	case !ok:
		return noBoundary
	case bytes.HasPrefix(rest, []byte("--")):
		return lastBoundary
	case len(bytes.TrimRight(rest, " \t\r\n")) == 0:
		return partBoundary
	}
	return noBoundary
}

// header reads up to the empty line. Lines without a colon are skipped, folded ones joined.
func (r *Reader) header() (textproto.MIMEHeader, error) {
	h := textproto.MIMEHeader{}
	last, left := "", r.lim.HeaderBytes
	for {
		line, err := r.buf.ReadSlice('\n')
		if left -= len(line); left < 0 || errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("%w: part header over %d bytes", ErrMalformed, r.lim.HeaderBytes)
		}
		if kind := r.boundary(line); kind != noBoundary { // neither header nor body
			r.part.finish(kind, err)
			return h, nil
		}
		if err != nil {
			return nil, cut(err)
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			return h, nil
		}
		if (text[0] == ' ' || text[0] == '\t') && last != "" {
			values := h[last]
			values[len(values)-1] += " " + strings.TrimSpace(text)
			continue
		}
		if key, value, ok := strings.Cut(text, ":"); ok {
			last = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(key))
			h[last] = append(h[last], strings.TrimSpace(value))
		}
	}
}

// Read reads the part's body.
func (p *Part) Read(b []byte) (int, error) {
	if p.err != nil || len(b) == 0 {
		return 0, p.err
	}
	if p.clear == 0 {
		if p.clear, p.err = p.r.available(!p.began); p.clear == 0 && p.err == nil {
			p.close()
		}
		if p.began = true; p.err != nil {
			return 0, p.err
		}
	}
	n, err := p.r.buf.Read(b[:min(p.clear, len(b))])
	p.clear -= n
	return n, err
}

// available returns how many bytes at the front of the buffer belong to the part; 0 with nil at a boundary. Right
// after the header the boundary needs no line end of its own.
func (r *Reader) available(atStart bool) (int, error) {
	// Enough to decide on a boundary: line end, dash, and what follows it up to the line's end.
	want := len(r.end) + maxPadding
	data, err := r.buf.Peek(max(want, r.buf.Buffered()))
	if len(data) == 0 {
		return 0, cut(err)
	}
	if atStart && r.boundary(firstLine(data)) != noBoundary {
		return 0, nil
	}
	lineEnd := len(r.end) - len(r.dash)
	for from := 0; ; {
		i := bytes.Index(data[from:], r.end)
		if i < 0 {
			break
		}
		at := from + i
		if len(data)-at < want && err == nil { // more is needed to decide: at > 0, since want bytes are there
			return at, nil
		}
		if r.boundary(firstLine(data[at+lineEnd:])) != noBoundary {
			return at, nil
		}
		from = at + 1
	}
	if err != nil { // the body's end: all that is left belongs to a part that was cut
		return len(data), nil
	}
	// Keep back what may be the start of a boundary; the line end does not occur within one.
	tail := len(data) - len(r.end) + 1
	if i := bytes.LastIndexByte(data[tail:], r.end[0]); i >= 0 && bytes.HasPrefix(r.end, data[tail+i:]) {
		return tail + i, nil
	}
	return len(data), nil
}

// maxPadding is the white space that may stand between a boundary and its line end, RFC 2046 section 5.1.1.
const maxPadding = 64

func firstLine(b []byte) []byte {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i+1]
	}
	return b
}

// close consumes the boundary line that ends the part.
func (p *Part) close() {
	r := p.r
	if next, _ := r.buf.Peek(1); len(next) > 0 && next[0] != '-' {
		r.buf.Discard(len(r.end) - len(r.dash)) // it was peeked at: no error
	}
	line, err := r.buf.ReadSlice('\n')
	p.finish(r.boundary(line), err)
}

// finish ends the part. The part is whole even when the body breaks off in the boundary that ends it: the error is
// the next call's.
func (p *Part) finish(kind boundaryKind, err error) {
	p.err = io.EOF
	switch {
	case kind == lastBoundary:
		p.r.finished = true
	case err != nil:
		p.r.err = cut(err)
	}
}

// cut turns the body's end into ErrCut and keeps other errors.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrCut
	}
	return err
}
