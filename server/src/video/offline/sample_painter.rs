//! Paints the frames of the sample: a sun that crosses the sky above rolling hills, with the resolution, the time and the
//! frame number in large letters, and a lamp that flashes with the bell. Painted directly in planar 4:2:0, full-range
//! BT.601, so that nothing has to convert it.

use std::{f32::consts::TAU, ops::Range};

/// Luma, blue difference and red difference (Y, Cb, Cr).
type Colour = [u8; 3];

const SKY_TOP: Colour = [70, 168, 104];
const SKY_LOW: Colour = [212, 104, 158];
const SUN: Colour = [240, 84, 150];
const HILLS: [Colour; 3] = [[128, 140, 138], [92, 128, 112], [48, 122, 110]];
const INK: Colour = [250, 128, 128];
const SHADOW: Colour = [24, 128, 128];

/// Mean position and amplitude of the ridge of each hill, in picture heights.
const RIDGES: [(f32, f32); 3] = [(0.62, 0.10), (0.72, 0.08), (0.84, 0.06)];

/// A bitmap font of five columns and seven rows with the characters that the sample needs; bit 4 is the left column.
const GLYPHS: [(char, [u8; 7]); 14] = [
    ('0', [14, 17, 19, 21, 25, 17, 14]),
    ('1', [4, 12, 4, 4, 4, 4, 14]),
    ('2', [14, 17, 1, 2, 4, 8, 31]),
    ('3', [31, 2, 4, 2, 1, 17, 14]),
    ('4', [2, 6, 10, 18, 31, 2, 2]),
    ('5', [31, 16, 30, 1, 1, 17, 14]),
    ('6', [6, 8, 16, 30, 17, 17, 14]),
    ('7', [31, 1, 2, 4, 8, 8, 8]),
    ('8', [14, 17, 17, 14, 17, 17, 14]),
    ('9', [14, 17, 17, 15, 1, 2, 12]),
    ('p', [0, 0, 30, 17, 30, 16, 16]),
    ('.', [0, 0, 0, 0, 0, 12, 12]),
    ('/', [0, 1, 2, 4, 8, 16, 0]),
    ('s', [0, 0, 15, 16, 14, 1, 30]),
];

/// A picture in planar 4:2:0 (I420). Width and height are even.
pub(crate) struct Canvas {
    width: usize,
    height: usize,
    /// Bytes from one row to the next, in the luma plane and in the difference planes: multiples of four, as GStreamer
    /// expects.
    strides: [usize; 2],
    /// The luma plane, then both difference planes.
    bytes: Vec<u8>,
}

impl Canvas {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let strides = [width.next_multiple_of(4), (width / 2).next_multiple_of(4)];
        Self { width, height, strides, bytes: vec![0; (strides[0] + strides[1]) * height] }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Paints frame `number` of `count`, shown `seconds` after the start.
    pub(crate) fn paint(&mut self, label: &str, number: u32, count: u32, seconds: f32) {
        let progress = number as f32 / count.max(1) as f32;
        self.sky();
        self.sun(progress);
        for layer in 0..HILLS.len() {
            self.hills(layer, seconds);
        }
        let unit = self.height as f32 / 240.0;
        self.lamp(seconds);
        self.write(label, 14.0 * unit, 14.0 * unit, 6.0 * unit);
        self.write(&format!("{seconds:.1} s"), 14.0 * unit, 208.0 * unit, 2.5 * unit);
        let counter = format!("{:0>3}/{count}", number + 1);
        let counter_width = counter.len() as f32 * 6.0 * 2.5 * unit;
        self.write(&counter, self.width as f32 - counter_width - 14.0 * unit, 208.0 * unit, 2.5 * unit);
    }

    /// A lamp that flashes with the bell: for a tenth of each second.
    fn lamp(&mut self, seconds: f32) {
        let unit = self.height as f32 / 240.0;
        let colour = if seconds.fract() < 0.1 - f32::EPSILON { INK } else { SHADOW };
        self.block(self.width as f32 - 34.0 * unit, 14.0 * unit, 20.0 * unit, colour);
    }

    fn sky(&mut self) {
        for row in 0..self.height {
            let share = row as f32 / self.height as f32;
            let mix = |plane: usize| {
                (f32::from(SKY_TOP[plane]) * (1.0 - share) + f32::from(SKY_LOW[plane]) * share).round() as u8
            };
            self.span(row, 0..self.width, [mix(0), mix(1), mix(2)]);
        }
    }

    fn sun(&mut self, progress: f32) {
        let (width, height) = (self.width as f32, self.height as f32);
        let radius = height * 0.09;
        let (x, y) = (width * (0.08 + 0.84 * progress), height * (0.52 - 0.32 * (progress * TAU / 2.0).sin()));
        for row in (y - radius).max(0.0) as usize..((y + radius) as usize).min(self.height) {
            let reach = (radius * radius - (row as f32 - y).powi(2)).max(0.0).sqrt();
            self.span(row, (x - reach).max(0.0) as usize..(x + reach).max(0.0) as usize, SUN);
        }
    }

    fn hills(&mut self, layer: usize, seconds: f32) {
        let (height, (base, swing)) = (self.height as f32, RIDGES[layer]);
        let drift = seconds * 0.05 * (layer + 1) as f32;
        let ridge: Vec<usize> = (0..self.width)
            .map(|column| {
                let x = column as f32 / height + drift + layer as f32 * 1.7;
                let wave =
                    (x * TAU * 0.55).sin() * 0.6 + (x * TAU * 1.3 + 1.0).sin() * 0.3 + (x * TAU * 3.1).sin() * 0.1;
                (height * (base - swing * wave)) as usize
            })
            .collect();
        let (top, bottom) = (ridge.iter().min().copied().unwrap_or(0), ridge.iter().max().copied().unwrap_or(0));
        for row in top..self.height {
            if row > bottom {
                self.span(row, 0..self.width, HILLS[layer]);
                continue;
            }
            let mut column = 0;
            while column < self.width {
                let is_hill = ridge[column] <= row;
                let end =
                    ridge[column..].iter().position(|&y| (y <= row) != is_hill).map_or(self.width, |run| column + run);
                if is_hill {
                    self.span(row, column..end, HILLS[layer]);
                }
                column = end;
            }
        }
    }

    /// Writes text with its upper left corner at `x`, `y`; `dot` is the side of one dot of the font, in pixels.
    fn write(&mut self, text: &str, x: f32, y: f32, dot: f32) {
        for (offset, colour) in [(dot * 0.35, SHADOW), (0.0, INK)] {
            for (position, character) in text.chars().enumerate() {
                let Some((_, rows)) = GLYPHS.iter().find(|(known, _)| *known == character) else { continue };
                for (row, bits) in rows.iter().enumerate() {
                    for column in (0..5).filter(|column| bits >> (4 - column) & 1 == 1) {
                        let left = x + offset + (position * 6 + column) as f32 * dot;
                        let top = y + offset + row as f32 * dot;
                        self.block(left, top, dot, colour);
                    }
                }
            }
        }
    }

    fn block(&mut self, left: f32, top: f32, side: f32, colour: Colour) {
        for row in top.round() as usize..((top + side).round() as usize).min(self.height) {
            self.span(row, left.round() as usize..(left + side).round() as usize, colour);
        }
    }

    fn span(&mut self, row: usize, columns: Range<usize>, colour: Colour) {
        let columns = columns.start.min(self.width)..columns.end.min(self.width);
        let start = row * self.strides[0];
        self.bytes[start + columns.start..start + columns.end].fill(colour[0]);
        if row.is_multiple_of(2) {
            for plane in 0..2 {
                let rows_before = plane * (self.height / 2) + row / 2;
                let start = self.strides[0] * self.height + rows_before * self.strides[1];
                self.bytes[start + columns.start / 2..start + columns.end / 2].fill(colour[plane + 1]);
            }
        }
    }
}
