package web

import (
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"mome/dicomweb"
)

// adapt makes an echo handler of h: path parameters become a reference, or path values where they name no level.
func adapt(h handler, names []string) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, ref := c.Request(), dicomweb.Ref{}
		values := c.ParamValues()
		for i, name := range names {
			value, err := url.PathUnescape(values[i])
			if err != nil {
				return dicomweb.Errorf(dicomweb.BadRequest, "the path is not percent-encoded as it should be")
			}
			if value == "" {
				return dicomweb.Errorf(dicomweb.BadRequest, "the path has an empty segment")
			}
			switch name {
			case "study":
				ref.Study = value
			case "series":
				ref.Series = value
			case "instance":
				ref.Instance = value
			default:
				r.SetPathValue(name, value)
			}
		}
		if err := ref.Validate(); err != nil {
			return err
		}
		return h(response{c.Response()}, r, ref)
	}
}

// cleanPath drops doubled slashes and those at the end, which clients make of a base URL with a slash at its end.
func cleanPath(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		u.Path, u.RawPath = clean(u.Path), clean(u.RawPath)
		return next(c)
	}
}

func clean(p string) string {
	if !strings.Contains(p, "//") && (len(p) < 2 || p[len(p)-1] != '/') {
		return p
	}
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	if len(p) > 1 {
		p = strings.TrimSuffix(p, "/")
	}
	return p
}
