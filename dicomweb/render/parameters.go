package render

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	"mome/dicomweb"
)

// parameters are the Rendering Query Parameters of a request, PS3.18 section 8.3.5.
type parameters struct {
	view       viewport
	window     *Window
	quality    int    // of JPEG
	profile    string // ICC profile that has to be in the image: "yes" for any, "srgb"; "" for none
	annotation string // what is not burned in
	thumbnail  bool   // one image, whatever it stands for
	base       string // URL of the service root as the client reaches it
}

// parse reads the query of a rendered or thumbnail resource. Each error names its parameter and what is expected.
func parse(rawQuery string, thumbnail bool) (p parameters, err error) {
	p.quality, p.thumbnail = defaultQuality, thumbnail
	for field := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(field, "=")
		if value, err = url.QueryUnescape(value); err != nil {
			return p, dicomweb.Errorf(dicomweb.BadRequest, "the query is not percent-encoded as it should be")
		}
		switch strings.ToLower(name) {
		case "viewport":
			p.view, err = parseViewport(value, thumbnail)
		case "window":
			p.window, err = parseWindow(value)
		case "quality":
			p.quality, err = parseQuality(name, value)
		case "annotation":
			p.annotation = value
		case "iccprofile":
			p.profile, err = parseProfile(value)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// key tells the pictures of one object apart that different parameters make.
func (p parameters) key() string {
	v := p.view
	parts := []any{v.width, v.height, v.only, v.x, v.y, v.w, v.h, v.relative, p.quality, p.profile, p.thumbnail}
	if p.window != nil {
		parts = append(parts, *p.window)
	}
	return fmt.Sprint(parts...)
}

const viewportForm = "viewport: vw,vh or vw,vh,sx,sy,sw,sh is expected, as viewport=512,512 or viewport=512,512,0,0,256,-256"

func parseViewport(s string, thumbnail bool) (v viewport, err error) {
	fields := strings.Split(s, ",")
	if n := len(fields); n < 2 || n > 6 {
		return v, dicomweb.Errorf(dicomweb.BadRequest, viewportForm)
	}
	if thumbnail && len(fields) > 2 {
		return v, dicomweb.Errorf(dicomweb.BadRequest, "viewport: vw,vh is expected, as viewport=256,256; a thumbnail shows the whole image")
	}
	for i, to := range []*int{&v.width, &v.height} {
		if *to, err = parseSize("viewport", fields[i]); err != nil {
			return v, err
		}
	}
	for i, to := range []*float64{&v.x, &v.y, &v.w, &v.h} {
		if i+2 >= len(fields) || strings.TrimSpace(fields[i+2]) == "" {
			continue // PS3.18: what is left out has its default
		}
		if *to, err = parseNumber(fields[i+2]); err != nil || i < 2 && *to < 0 || i >= 2 && *to == 0 {
			return v, dicomweb.Errorf(dicomweb.BadRequest, viewportForm+"; sx and sy are not negative, sw and sh not zero")
		}
	}
	return v, nil
}

// parseSize reads a size in pixels.
func parseSize(name, s string) (int, error) {
	f, err := parseNumber(s)
	if n := int(f); err == nil && f == math.Trunc(f) && n >= 1 && n <= maxViewport {
		return n, nil
	}
	return 0, dicomweb.Errorf(dicomweb.BadRequest, "%s: a whole number of pixels from 1 to %d is expected", name, maxViewport)
}

func parseNumber(s string) (float64, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err == nil && (math.IsNaN(f) || math.Abs(f) > 1e15) {
		err = strconv.ErrRange
	}
	return f, err
}

// parseWindow reads centre, width and function. The function may be left out, and be spelled as the attribute is.
func parseWindow(s string) (*Window, error) {
	fields := strings.Split(s, ",")
	if len(fields) == 2 {
		fields = append(fields, "linear")
	}
	if len(fields) == 3 {
		function := Function(strings.ReplaceAll(strings.ToUpper(strings.TrimSpace(fields[2])), "-", "_"))
		centre, err1 := parseNumber(fields[0])
		width, err2 := parseNumber(fields[1])
		w := Window{centre, width, function}
		if known := function == Linear || function == LinearExact || function == Sigmoid; known && err1 == nil && err2 == nil && w.valid() {
			return &w, nil
		}
	}
	return nil, dicomweb.Errorf(dicomweb.BadRequest,
		"window: center,width,function is expected, as window=40,400,linear; the function is linear, linear-exact or sigmoid, the width at least 1 for linear and above 0 for the others")
}

func parseQuality(name, s string) (int, error) {
	q, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || q < 1 || q > 100 {
		return 0, dicomweb.Errorf(dicomweb.BadRequest, "%s: a whole number from 1 to 100 is expected", name)
	}
	return q, nil
}

// parseProfile reads the parameter iccprofile. Colours are not converted: they are sRGB, or what the object's own profile says.
func parseProfile(s string) (string, error) {
	switch s = strings.ToLower(s); s {
	case "no", "":
		return "", nil
	case "yes", "srgb":
		return s, nil
	}
	return "", dicomweb.Errorf(dicomweb.BadRequest, "iccprofile: no, yes or srgb is expected; images are not converted to other colour spaces")
}
