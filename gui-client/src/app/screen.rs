//! The picture of the video as a texture.

use std::sync::Arc;

use egui::{ColorImage, TextureHandle, TextureOptions};

use crate::playback::{picture::Picture, player::Player};

/// The texture that shows the video.
#[derive(Default)]
pub(super) struct Screen {
    pub(super) texture: Option<TextureHandle>,
    /// Pictures passed to the renderer; the memory of each is taken back when the renderer has released it.
    handed_over: Vec<Arc<ColorImage>>,
}

impl Screen {
    /// Passes a picture to the renderer. The texture is reused while the size stays the same: a new one for each picture costs
    /// an allocation in graphics memory.
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

    /// Returns the memory of uploaded pictures to the player.
    pub(super) fn take_back(&mut self, player: &Player) {
        for image in std::mem::take(&mut self.handed_over) {
            match Arc::try_unwrap(image) {
                Ok(image) => player.recycle(bytemuck::allocation::cast_vec(image.pixels)),
                Err(image) => self.handed_over.push(image),
            }
        }
    }
}
