// Package predict writes what a network sees in images: a mask an image, and where
// wished an overlay and the scores. It takes any number of images of any size; see
// docs/predict.md.
package predict
