package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"mome/dicomweb"
	"mome/dicomweb/dicom"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/query"
	"mome/dicomweb/related"
)

// Search asks for the studies, series or instances below ref that match (PS3.18 section 10.6): params holds matching
// keys, includefield, limit and offset. More tells that the server has further results.
func (c *Client) Search(ctx context.Context, level query.Level, ref dicomweb.Ref, params url.Values) (results []*dicom.Dataset, more bool, err error) {
	resource := level.String()
	if ref.Study != "" {
		resource = ref.Path() + "/" + resource
	}
	resp, err := c.get(ctx, resource, params.Encode(), mediatype.DICOMJSON)
	if err != nil {
		return nil, false, fmt.Errorf("client: search: %w", err)
	}
	defer resp.Body.Close()
	for _, w := range resp.Header.Values("Warning") {
		more = more || strings.HasPrefix(w, "299") && strings.Contains(w, "additional results")
	}
	results, err = datasets(resp)
	return results, more, err
}

// Metadata returns the data sets of the instances below ref without their bulk data (PS3.18 section 10.4.1.1.2).
func (c *Client) Metadata(ctx context.Context, ref dicomweb.Ref) ([]*dicom.Dataset, error) {
	resp, err := c.get(ctx, ref.Path()+"/metadata", "", mediatype.DICOMJSON)
	if err != nil {
		return nil, fmt.Errorf("client: metadata: %w", err)
	}
	defer resp.Body.Close()
	return datasets(resp)
}

func datasets(resp *http.Response) ([]*dicom.Dataset, error) {
	if resp.StatusCode == http.StatusNoContent {
		return nil, nil
	}
	list, err := dicom.ParseJSON(resp.Body, dicom.Limits{})
	if err != nil {
		return nil, fmt.Errorf("client: read %s: %w", resp.Request.URL.Path, err)
	}
	return list, nil
}

// Part is one instance of an answer, as a DICOM file.
type Part struct {
	io.Reader
	TransferSyntax string // as the server says, "" when it does not
	Location       string // URL of the instance, "" when it is not told
}

// Retrieve calls fn with each instance below ref as the server stores it (PS3.18 section 10.4.1.1.1). The part is read
// within fn; what fn leaves of it is skipped. An answer that breaks off is an error after its whole parts.
func (c *Client) Retrieve(ctx context.Context, ref dicomweb.Ref, fn func(Part) error) error {
	resp, err := c.get(ctx, ref.Path(), "", `multipart/related; type="application/dicom"; transfer-syntax=*`)
	if err != nil {
		return fmt.Errorf("client: retrieve: %w", err)
	}
	defer resp.Body.Close()
	ct, err := mediatype.Parse(resp.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("client: retrieve %s: %w", ref.Path(), err)
	}
	if ct.Name == mediatype.DICOM {
		return fn(Part{resp.Body, ct.Param("transfer-syntax"), resp.Header.Get("Content-Location")})
	}
	if ct.Name != mediatype.Related {
		return fmt.Errorf("client: retrieve %s: the answer is %s", ref.Path(), ct.Name)
	}
	r, err := related.NewReader(resp.Body, ct.Param("boundary"), related.Limits{})
	if err != nil {
		return fmt.Errorf("client: retrieve %s: %w", ref.Path(), err)
	}
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("client: retrieve %s: %w", ref.Path(), err)
		}
		t, _ := mediatype.Parse(p.Header.Get("Content-Type")) // a type that cannot be read is none
		if err := fn(Part{p, t.Param("transfer-syntax"), p.Header.Get("Content-Location")}); err != nil {
			return err
		}
	}
}
