package wado

import "io"

// send copies body to w. What lies in a file as it is sent goes the system's short way from file to connection.
func send(w io.Writer, body io.Reader) (int64, error) {
	if s, ok := body.(*io.SectionReader); ok {
		outer, off, n := s.Outer()
		if o, ok := outer.(interface {
			Stretch(off, n int64) (io.Reader, error)
		}); ok {
			r, err := o.Stretch(off, n)
			if err != nil {
				return 0, err
			}
			body = r
		}
	}
	return io.Copy(w, body)
}
