//! How a video is to be played, as the person has chosen.

use common::media::{Delivery, Quality, VideoInfo};

use crate::event::LadderSettings;

/// What the person has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QualityChoice {
    /// The triptych, in the delivery that the link carries.
    Automatic {
        /// From no variant higher than this.
        max_height: Option<u32>,
    },
    /// All pictures of these, whatever the link carries.
    Fixed(Quality),
}

impl Default for QualityChoice {
    fn default() -> Self {
        Self::Automatic { max_height: None }
    }
}

impl QualityChoice {
    /// Which resolutions are played.
    pub fn quality(self) -> Quality {
        match self {
            Self::Automatic { .. } => Quality::Triptych,
            Self::Fixed(quality) => quality,
        }
    }

    /// The best delivery that it allows.
    pub fn delivery(self) -> Delivery {
        match self {
            Self::Automatic { max_height } => Delivery { max_height, ..Delivery::FULL },
            Self::Fixed(_) => Delivery::FULL,
        }
    }

    /// What it allows the ladder.
    pub fn ladder(self) -> LadderSettings {
        match self {
            Self::Automatic { max_height } => LadderSettings { is_automatic: true, max_height },
            Self::Fixed(_) => LadderSettings::default(),
        }
    }

    /// Whether a video can be played like this.
    pub fn is_offered(self, video: &VideoInfo) -> bool {
        let has = |height| video.variants.iter().any(|variant| variant.height == height);
        match self {
            Self::Automatic { max_height } => max_height.is_none_or(has),
            Self::Fixed(Quality::Triptych) => true,
            Self::Fixed(Quality::Only(height)) => has(height),
        }
    }

    /// The name in the menu.
    pub fn name(self) -> String {
        match self {
            Self::Automatic { max_height: None } => "Triptych".to_owned(),
            Self::Automatic { max_height: Some(height) } => format!("Triptych, at most {height}p"),
            Self::Fixed(Quality::Triptych) => "Triptych, every picture".to_owned(),
            Self::Fixed(Quality::Only(height)) => format!("{height}p"),
        }
    }

    /// The name on the button of the menu.
    pub fn short_name(self) -> String {
        match self {
            Self::Automatic { max_height: Some(height) } => format!("Up to {height}p"),
            Self::Fixed(Quality::Triptych) => "Every picture".to_owned(),
            _ => self.name(),
        }
    }
}
