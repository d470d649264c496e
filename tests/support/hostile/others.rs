//! Everything that is no picture we take, under whichever name.

use super::{Fate, File};

pub fn files() -> Vec<File> {
    let svg =
        "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script><image href='file:///etc/passwd'/></svg>";
    let entity = "<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg>&x;</svg>";
    let others: [(&str, &[u8]); 34] = [
        ("one byte", b"\x89"),
        ("two bytes", b"\xFF\xD8"),
        ("the mark of a PNG alone", b"\x89PNG\r\n\x1a\n"),
        ("the mark of a PNG and nothing", b"\x89PNG\r\n\x1a\n\0\0\0\0\0\0\0\0"),
        ("the mark of a JPEG alone", b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01\x01\0"),
        ("a JPEG of nothing", b"\xFF\xD8\xFF\xD9\xFF\xD9\xFF\xD9\xFF\xD9\xFF\xD9"),
        ("the mark of a WebP alone", b"RIFF\x04\0\0\0WEBP"),
        ("a sound", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0"),
        ("a drawing", svg.as_bytes()),
        ("a drawing that reads files", entity.as_bytes()),
        ("a drawing, packed", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xb3)."),
        ("a page", b"<!doctype html><script>alert(1)</script>"),
        ("a document", b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"),
        ("an old animation", b"GIF87a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"),
        ("an animation", b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"),
        ("a bitmap", b"BM:\0\0\0\0\0\0\x006\0\0\0(\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0\0\0\0\0\x04\0\0\0"),
        ("a TIFF", b"II*\0\x08\0\0\0\0\0\0\0\0\0\0\0"),
        ("a TIFF the other way round", b"MM\0*\0\0\0\x08\0\0\0\0\0\0\0\0"),
        ("an AVIF", b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf"),
        ("a HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        ("a film", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"),
        ("an icon", b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0\x68\x04\0\0\x16\0\0\0"),
        ("a JPEG XL", b"\xFF\x0A\xFA\x7F\x01\x90\x09\x90\x08\x06\x01\0"),
        ("a JPEG 2000", b"\0\0\0\x0CjP  \r\n\x87\n\0\0\0\x14ftypjp2 "),
        ("a Photoshop file", b"8BPS\0\x01\0\0\0\0\0\0\0\x03\0\0\0\x01\0\0\0\x01\0\x08\0\x03"),
        ("an archive", b"PK\x03\x04\x14\0\0\0\x08\0"),
        ("a program", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0>\0"),
        ("a program of another kind", b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff"),
        ("a shell script", b"#!/bin/sh\nrm -rf \"$HOME\"\n"),
        ("PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n"),
        ("commands for ImageMagick", b"push graphic-context\nviewbox 0 0 1 1\nimage over 0,0 0,0 '|id'\n"),
        ("a portable pixmap", b"P6\n1 1\n255\n\xff\xff\xff"),
        ("a playlist", b"#EXTM3U\n#EXTINF:1,\nhttp://169.254.169.254/\n"),
        ("nothing but zeros", &[0; 4096]),
    ];
    others.into_iter().map(|(what, bytes)| File::new(what, bytes.to_vec(), Fate::Refused)).collect()
}
