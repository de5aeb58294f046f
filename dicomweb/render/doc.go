// Package render makes of stored objects what a browser shows (PS3.18 section 8.7.4): images and their thumbnails as
// JPEG, PNG or GIF, segmentations over the images that they were drawn on, Structured Reports as HTML or text,
// encapsulated documents and videos as they are. It answers the rendered and thumbnail resources of WADO-RS (PS3.18
// sections 10.4.1.1.3 and 10.4.1.1.4) and WADO-URI (section 9). It applies no Presentation State and burns nothing in.
package render
