// An empty impl.

#[derive(Default)]
struct Count;

#[kcl::processor]
impl Count {}
