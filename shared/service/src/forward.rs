//! gRPC services whose methods are actions.

/// Implements a gRPC service: each of its methods is the action of the same name, which takes the
/// whole request and gives the whole response.
///
/// ```ignore
/// forward! {
///     ThingService for Things {
///         list_things(ListThingsRequest) -> ListThingsResponse;
///         create_thing(CreateThingRequest) -> CreateThingResponse;
///     }
/// }
///
/// impl Things {
///     pub(crate) async fn list_things(
///         &self,
///         request: Request<ListThingsRequest>,
///     ) -> Result<Response<ListThingsResponse>> { … }
/// }
/// ```
///
/// What a service streams is named in its head, `ThingService for Things, WatchThingsStream =
/// ThingStream`, and then `watch_things(WatchThingsRequest) -> Self::WatchThingsStream;`.
#[macro_export]
macro_rules! forward {
    ($service:ident for $of:ty $(, $stream:ident = $items:ty)* {
        $($method:ident($request:ty) -> $response:ty;)*
    }) => {
        #[tonic::async_trait]
        impl $service for $of {
            $(type $stream = $items;)*
            $(
                async fn $method(
                    &self,
                    request: tonic::Request<$request>,
                ) -> Result<tonic::Response<$response>, tonic::Status> {
                    // The type of the error says that this is the action, and not the method itself.
                    let answer: guildhall_runtime::Result<_> = self.$method(request).await;
                    Ok(answer?)
                }
            )*
        }
    };
}
