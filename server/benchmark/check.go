package benchmark

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"io"

	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
)

// verify holds the answer, without its compression, against what it must hold.
func (a *answer) verify(check func(*answer) error) error {
	if a.header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(a.body))
		if err != nil {
			return err
		}
		if a.body, err = io.ReadAll(io.LimitReader(z, largestAnswer)); err != nil {
			return err
		}
	}
	return check(a)
}

// model is a data set of the DICOM JSON Model (PS3.18 annex F), as far as checks read it.
type model map[string]struct {
	Value []json.RawMessage `json:"Value"`
}

// items wants a JSON answer of n data sets, each with the attributes.
func items(n int, attributes ...string) func(*answer) error {
	return func(a *answer) error {
		var all []model
		if err := json.Unmarshal(a.body, &all); err != nil {
			return err
		}
		if len(all) != n {
			return fmt.Errorf("%d data sets, want %d", len(all), n)
		}
		for _, d := range all {
			for _, name := range attributes {
				if _, ok := d[name]; !ok {
					return fmt.Errorf("a data set without %s", name)
				}
			}
		}
		return nil
	}
}

// stored wants a store response (PS3.18 annex I) that tells n instances stored and none failed.
func stored(n int) func(*answer) error {
	return func(a *answer) error {
		var d model
		if err := json.Unmarshal(a.body, &d); err != nil {
			return err
		}
		if got, failed := len(d["00081199"].Value), len(d["00081198"].Value); got != n || failed > 0 {
			return fmt.Errorf("%d stored, %d failed, want %d and none", got, failed, n)
		}
		return nil
	}
}

// single wants a multipart answer of one part, with the digest.
func single(want [sha256.Size]byte) func(*answer) error {
	return func(a *answer) error {
		t, err := mediatype.Parse(a.header.Get("Content-Type"))
		if err != nil {
			return err
		}
		r, err := related.NewReader(bytes.NewReader(a.body), t.Param("boundary"), related.Limits{})
		if err != nil {
			return err
		}
		part, err := r.Next()
		if err != nil {
			return err
		}
		got := sha256.New()
		n, err := io.Copy(got, part)
		if err != nil {
			return err
		}
		if !bytes.Equal(got.Sum(nil), want[:]) {
			return fmt.Errorf("%d bytes that are not those that were stored", n)
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			return errors.New("more than one part")
		}
		return nil
	}
}

// picture wants a JPEG of so many rows and columns.
func picture(side int) func(*answer) error {
	return func(a *answer) error {
		c, err := jpeg.DecodeConfig(bytes.NewReader(a.body))
		if err != nil {
			return err
		}
		if c.Width != side || c.Height != side {
			return fmt.Errorf("a picture of %d x %d, want %d x %d", c.Width, c.Height, side, side)
		}
		return nil
	}
}
