package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"mome/dicomweb"
	"mome/dicomweb/mediatype"
)

// problem is the body of an error, RFC 9457.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// statusClosed is what the log shows for a request whose client went away.
const statusClosed = 499

// problemOf words err for the client. What is the node's own fault is told as such, without details.
func problemOf(r *http.Request, err error) problem {
	p := problem{Type: "about:blank", Status: http.StatusInternalServerError, Detail: "The node failed; its log tells more."}
	var known *dicomweb.Error
	var routing *echo.HTTPError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		p.Status, p.Detail = http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than the %d bytes that this node takes.", tooLarge.Limit)
	case errors.As(err, &known) && known.Kind != dicomweb.Internal:
		p.Status, p.Detail = known.Kind.Status(), known.Text
	case errors.As(err, &routing):
		p.Status = routing.Code
		switch routing.Code {
		case http.StatusNotFound:
			p.Detail = "There is no such resource; " + prefix + " lists those that there are."
		case http.StatusMethodNotAllowed:
			p.Detail = r.Method + " is not for this resource; see the header Allow."
		default:
			p.Detail = http.StatusText(routing.Code)
		}
	}
	p.Title = http.StatusText(p.Status)
	return p
}

// statusOf returns the status that an error is answered with.
func statusOf(r *http.Request, err error) int {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return statusClosed
	}
	return problemOf(r, err).Status
}

// maxDrain is how much of an unread body is read before an error is answered: many clients look for an answer only
// when they have sent all, and see a broken connection instead.
const maxDrain = 32 << 20

// answerError answers an error, or breaks the connection off where the header is out.
func answerError(w *echo.Response, r *http.Request, err error) {
	if w.Committed {
		panic(http.ErrAbortHandler)
	}
	p := problemOf(r, err)
	// A client that expects 100-continue has not sent its body, and would if it were read.
	if r.Body != nil && p.Status != http.StatusRequestEntityTooLarge && r.Header.Get("Expect") == "" {
		io.CopyN(io.Discard, r.Body, maxDrain) // what fails here fails again on the next use of the connection
	}
	h := w.Header()
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Location", "ETag", "Cache-Control", "Last-Modified"} {
		h.Del(name)
	}
	if p.Status == http.StatusServiceUnavailable && h.Get("Retry-After") == "" {
		h.Set("Retry-After", "60")
	}
	var body []byte
	if wantsText(r) {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		body = fmt.Appendf(nil, "%d %s\n%s\n", p.Status, p.Title, p.Detail)
	} else {
		h.Set("Content-Type", mediatype.ProblemJSON)
		body, _ = json.Marshal(p) // strings and a number: no error
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(p.Status)
	w.Write(body) // the client may be gone
}

// wantsText reports whether a person is likely to read the answer in a browser or terminal.
func wantsText(r *http.Request) bool {
	for _, a := range mediatype.Accept(r) {
		if strings.HasPrefix(a.Name, "text/") && a.Q > 0 {
			return true
		}
	}
	return false
}
