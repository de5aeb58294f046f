package wado

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"

	"mome/dicomweb/mediatype"
)

// zipType is the media type of an archive of PS3.10 files, DICOM Supplement 211.
const zipType = "application/zip"

// maxHeld is how many bytes of an instance are held in memory to be read once. A ZIP file tells the checksum of a file
// before its bytes: larger ones are read twice.
const maxHeld = 16 << 20

// firstDay is 1 January 1980, the least date of a ZIP file: when an instance was stored is nothing that a client needs.
const firstDay = 1<<5 | 1

// maxPlain is the size in bytes from which an entry of a ZIP file needs the fields of ZIP64.
const maxPlain = 1<<32 - 1

// zip sends the instances as one ZIP file, each under the UIDs of its series and its own, so that the names are the same
// each time. Nothing is compressed: pixels hardly shrink. Sizes and checksums stand before the bytes, since many programs
// that read a ZIP file as it comes take no other.
func (s *Service) zip(w http.ResponseWriter, r *http.Request, send []chosen, status int) error {
	ref := send[0].Ref
	name := ref.Study
	for _, c := range send {
		if c.Series != ref.Series {
			ref.Series = ""
		}
	}
	if ref.Series != "" {
		name = ref.Series
	}
	if len(send) == 1 {
		name = ref.Instance
	}
	var first *entry
	if r.Method != http.MethodHead {
		var err error
		if first, err = s.entry(r.Context(), &send[0], len(send) == 1); err != nil { // can still be answered with a status
			return err
		}
	}
	w.Header().Set("Content-Type", zipType)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.zip"`)
	if n, known := zipSize(send); known {
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	}
	if status != http.StatusOK {
		w.WriteHeader(status)
	}
	if r.Method == http.MethodHead {
		return nil
	}
	z := zip.NewWriter(w)
	for i := range send {
		e := first
		if i > 0 {
			var err error
			if e, err = s.entry(r.Context(), &send[i], false); err != nil {
				return err
			}
		}
		err := e.write(z)
		e.body.close()
		if err == nil {
			err = z.Flush()
		}
		if err != nil {
			return fmt.Errorf("wado: send instance %s: %w", send[i].Ref.Instance, err)
		}
	}
	return z.Close()
}

// entryName is unique and the same each time: UIDs hold digits and dots only, and ".." does not occur in them.
func entryName(c chosen) string { return c.Series + "/" + c.Ref.Instance + ".dcm" }

// entry is an instance ready to be written.
type entry struct {
	name string
	body *payload
	crc  uint32
}

// entry opens an instance as part does and finds its checksum.
func (s *Service) entry(ctx context.Context, c *chosen, strict bool) (*entry, error) {
	p, err := s.part(ctx, c, strict)
	if err != nil {
		return nil, err
	}
	e := &entry{name: entryName(*c), body: p}
	if p.size >= maxPlain {
		return e, nil
	}
	var held bytes.Buffer
	sum := crc32.NewIEEE()
	if p.size <= maxHeld {
		held.Grow(int(p.size))
		if _, err = io.Copy(io.MultiWriter(sum, &held), p); err == nil {
			p.Reader = &held
		}
	} else {
		if _, err = io.Copy(sum, canceled{ctx, p}); err == nil {
			p.close()
			p, err = s.payload(ctx, *c)
		}
	}
	if err != nil {
		e.body.close()
		return nil, fmt.Errorf("wado: read instance %s: %w", c.Ref.Instance, err)
	}
	e.body, e.crc = p, sum.Sum32()
	return e, nil
}

// canceled reads until its context ends.
type canceled struct {
	ctx context.Context
	io.Reader
}

func (c canceled) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(b)
}

// write adds the entry. One beyond 4 GiB has size and checksum behind its bytes, in the form of ZIP64.
func (e *entry) write(z *zip.Writer) error {
	h := &zip.FileHeader{Name: e.name, Method: zip.Store, ModifiedDate: firstDay}
	var w io.Writer
	var err error
	if e.body.size < maxPlain {
		h.CRC32, h.CompressedSize64, h.UncompressedSize64 = e.crc, uint64(e.body.size), uint64(e.body.size)
		w, err = z.CreateRaw(h)
	} else {
		w, err = z.CreateHeader(h)
	}
	if err != nil {
		return err
	}
	n, err := io.Copy(w, e.body)
	if err == nil && n != e.body.size {
		err = fmt.Errorf("%d bytes, %d were announced", n, e.body.size)
	}
	return err
}

// zipSize returns the length of the ZIP file of stored instances, where it is known and all of it below 4 GiB: that of one
// with empty entries, and the entries.
func zipSize(send []chosen) (n int64, known bool) {
	var dry bytes.Buffer
	z := zip.NewWriter(&dry)
	for _, c := range send {
		if n += c.Size; !c.asStored() || n >= maxPlain {
			return 0, false
		}
		if (&entry{name: entryName(c), body: &payload{Reader: &bytes.Buffer{}}}).write(z) != nil {
			return 0, false
		}
	}
	if z.Close() != nil || n+int64(dry.Len()) >= maxPlain {
		return 0, false
	}
	return n + int64(dry.Len()), true
}

// zipOffers are the offers of one part each as parts of a ZIP file.
func zipOffers(offers []mediatype.Offer) []mediatype.Offer {
	out := make([]mediatype.Offer, 0, len(offers))
	for _, o := range offers {
		o.Media = zipType
		out = append(out, o)
	}
	return out
}
