// Package dicom is the DICOM layer: data sets and their values, Part 10 files (PS3.10), the DICOM JSON Model
// (PS3.18 annex F) and its sibling in XML, the Native DICOM Model (PS3.19 section A.1). Bytes from outside are read by a
// strict scanner that bounds every length before anything is allocated; only what it passed and normalised reaches
// go-dicom, which also writes the objects that this node makes. What was received is never re-encoded. It is the only
// importer of go-dicom.
package dicom
