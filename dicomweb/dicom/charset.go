package dicom

import (
	"strings"

	"mome/dicomweb/dicom/tag"
)

// decodeText returns the element's text as UTF-8.
func (d *Dataset) decodeText(e *Element) string { return string(e.Value) }

// splitText returns the element's values as UTF-8, split at the value delimiter.
func (d *Dataset) splitText(e *Element) []string { return strings.Split(d.decodeText(e), `\`) }

// charsets returns the Specific Character Set in force.
func (d *Dataset) charsets() []string {
	if e := d.Get(tag.SpecificCharacterSet); e != nil {
		return strings.Split(strings.TrimRight(string(e.Value), " \x00"), `\`)
	}
	return d.charset
}
