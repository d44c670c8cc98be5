//! gRPC services whose methods are actions.

/// Implements a gRPC service: names the action that each of its methods is. An action takes the
/// whole request, and gives the whole response.
///
/// ```ignore
/// forward! {
///     ThingService for Things {
///         list_things(ListThingsRequest) -> ListThingsResponse = list;
///         create_thing(CreateThingRequest) -> CreateThingResponse = create;
///     }
/// }
/// ```
///
/// What a service streams is named in its head, `ThingService for Things, WatchThingsStream =
/// ThingStream`, and then `watch_things(WatchThingsRequest) -> Self::WatchThingsStream = watch;`.
#[macro_export]
macro_rules! forward {
    ($service:ident for $of:ty $(, $stream:ident = $items:ty)* {
        $($method:ident($request:ty) -> $response:ty = $action:ident;)*
    }) => {
        #[tonic::async_trait]
        impl $service for $of {
            $(type $stream = $items;)*
            $(
                async fn $method(
                    &self,
                    request: tonic::Request<$request>,
                ) -> Result<tonic::Response<$response>, tonic::Status> {
                    Ok(self.$action(request).await?)
                }
            )*
        }
    };
}
