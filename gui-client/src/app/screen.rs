//! The picture of the video as a texture.

use std::sync::Arc;

use egui::{ColorImage, TextureHandle, TextureOptions};

use crate::playback::{picture::Picture, player::Player};

/// The picture on the graphics side.
#[derive(Default)]
pub(super) struct Screen {
    pub(super) texture: Option<TextureHandle>,
    /// Pictures handed over; each comes back when the renderer has let go of it.
    handed_over: Vec<Arc<ColorImage>>,
}

impl Screen {
    /// Hands a picture to the renderer. The texture is kept while the size stays: making a new one for each picture costs
    /// an allocation on the graphics side.
    pub(super) fn show(&mut self, ctx: &egui::Context, picture: Picture) {
        let size = [picture.width, picture.height];
        let pixels = bytemuck::allocation::cast_vec(picture.pixels);
        let image = Arc::new(ColorImage::new(size, pixels));
        self.handed_over.push(Arc::clone(&image));
        match &mut self.texture {
            Some(texture) if texture.size() == size => texture.set_partial([0, 0], image, TextureOptions::LINEAR),
            _ => self.texture = Some(ctx.load_texture("video", image, TextureOptions::LINEAR)),
        }
    }

    /// Gives the memory of uploaded pictures back to the decoder.
    pub(super) fn take_back(&mut self, player: &Player) {
        for image in std::mem::take(&mut self.handed_over) {
            match Arc::try_unwrap(image) {
                Ok(image) => player.recycle(bytemuck::allocation::cast_vec(image.pixels)),
                Err(image) => self.handed_over.push(image),
            }
        }
    }
}
